"""Count the pictures and draw a contact sheet: ``python benchmarks/non_mri --sheet FILE``."""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from non_mri import KINDS, missing, pictures

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--sheet", type=Path)
options = parser.parse_args()
counts, rows, row, last = Counter(), [], [], None
for picture in pictures():
    counts[picture.kind] += 1
    if picture.kind != last:
        last, shown = picture.kind, 0
    shown += 1
    if shown <= 6:
        tile = Image.fromarray(picture.pixels).convert("L").resize((96, 96))
        row.append(np.asarray(tile))
    if len(row) == 18:
        rows, row = [*rows, np.hstack(row)], []
for part in ("fit", "held_out"):
    here = {kind: n for kind, n in counts.items() if KINDS[kind].part == part}
    print(part, sum(here.values()), here)
print("missing", missing())
if options.sheet:
    Image.fromarray(np.vstack(rows)).save(options.sheet)
