"""Cut the healthy people of `benchmarks/foreign_scans.py` into slices to learn from.

    python people.py FOLDER DATA

Its docstring says how to get FOLDER. Where they are learned from they judge nothing: what a model
says of people it never saw is asked of trainings that leave some of them out
(`train.py --unseen colin colin-2mm`).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from PIL import Image
from rows import PEOPLE

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import foreign_scans

FOLDERS = {
    "one man, T1": "man",
    "Colin 27, T1": "colin",
    "Colin 27, T1, 2 mm": "colin-2mm",
    "one person, T1 (MRHead)": "mrhead",
    "one person, T1 (S1)": "s1",
    "one person, T1, blurred": "blurred-person",
    "one person, PD": "pd",
}


def main() -> None:
    """Write the slices to DATA/people/PERSON/notumor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the archives are")
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    given = parser.parse_args()
    count: Counter[str] = Counter()
    for name, plane, is_tumor, pixels in foreign_scans.scans(given.folder):
        if is_tumor:
            continue
        person = FOLDERS[name]
        target = given.data / PEOPLE / person / "notumor"
        target.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target / f"{person}-{plane}-{count[person]:03d}.png")
        count[person] += 1
    print("; ".join(f"{person}: {n} slices" for person, n in count.items()))
    if missing := set(FOLDERS.values()) - set(count):
        parser.error(f"{given.folder}: no scan of {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
