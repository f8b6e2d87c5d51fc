"""Measure the gate: refused share of what is no scan, by kind, and of scans, by source and look.

    python benchmarks/gate.py ../shared/data --cache /tmp/gate --json gate.json

Three gates are fitted: to the Kaggle set alone and to Br35H alone, each measured on the other
source, and to three quarters of both by near-duplicate group, measured on the rest. Kinds of
pictures that serve for fitting are never measured. Scans of further sources come with nilearn (the
MNI152 average, skull removed), matplotlib (one slice) and nibabel (echo-planar), if installed.
Features are computed once and kept in the cache: about five minutes on two cores. Each name that
is done is skipped by the next run, so it can be stopped. Without DATA only the pictures that are
no scan and phantoms are described. Research software, not a medical device.
"""

import argparse
import gzip
import hashlib
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent))
from gate_recipe import (
    describe_examples,
    fit_described,
    joined,
    phantom_examples,
    picture_examples,
    pooled_function,
    scan_examples,
    scramble_examples,
)
from non_mri import missing, pictures, scrambles
from scan_looks import LOOKS

from mri_tumor.images import as_grey_image, list_images
from mri_tumor.images.collection import as_collection

SOURCES = {"kaggle": "brain-tumor-mri/Training", "br35h": "br35h/tumor"}
_PER_LOOK = 100


def held_out_examples(images):
    """Yield every picture of the kinds that no gate is fitted to."""
    for kind, name, pixels in pictures("held_out"):
        yield kind, 0, as_grey_image(pixels, name=name)
    for kind, name, pixels in scrambles("held_out", images, per_kind=16):
        yield kind, 0, as_grey_image(pixels, name=name)


def look_examples(images):
    """Yield images in every look, from another seed than the fit's."""
    for k, (name, look) in enumerate(LOOKS.items()):
        for i in np.random.default_rng([77, k]).permutation(len(images))[:_PER_LOOK]:
            yield name, int(i), look(np.random.default_rng([78, k, i]), images.read(int(i)))


def foreign_examples():
    """Yield scans that installed packages ship; none of them was seen by any fit."""

    def grey(values, white):
        return np.ascontiguousarray(np.clip(values / white * 255, 0, 255).astype(np.uint8))

    def folder(package):
        spec = find_spec(package)
        return Path(spec.origin).parent if spec else Path("missing")

    volume = folder("nilearn") / "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    if volume.is_file():
        import nibabel

        values = nibabel.load(volume).get_fdata()
        for axis in range(3):
            for i in range(20, values.shape[axis] - 20, 4):
                plane = np.rot90(values.take(i, axis))
                if np.mean(plane > 0) > 0.12:  # else a cap of a few pixels
                    yield "MNI152", i, grey(plane, values.max())
    volume = folder("nibabel") / "tests/data/example4d.nii.gz"
    if volume.is_file():
        import nibabel

        values = nibabel.load(volume).get_fdata()[..., 0]
        for i in range(3, 22):
            yield "echo-planar", i, grey(np.rot90(values[:, :, i]), np.percentile(values, 99.8))
    file = folder("matplotlib") / "mpl-data/sample_data/s1045.ima.gz"
    if file.is_file():
        values = np.frombuffer(gzip.decompress(file.read_bytes()), "<u2").reshape(256, 256)
        yield "sagittal T1", 0, grey(values.astype(float), np.percentile(values, 99.9))


class Store:
    """Descriptions and features by name, kept in a folder for one model."""

    def __init__(self, folder, model, settings):
        digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
        self.folder = folder / digest[:12]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pooled, self.settings = pooled_function(model), settings

    def __call__(self, name, examples):
        """Return what `describe_examples` gives, computed at most once."""
        path = self.folder / f"{name}.npz"
        if not path.is_file():
            start = time.perf_counter()
            arrays = describe_examples(examples(), self.pooled, settings=self.settings)
            partial = path.with_suffix(".partial.npz")
            np.savez(partial, *arrays)
            partial.rename(path)
            print(f"{name}: {len(arrays[0])} in {time.perf_counter() - start:.0f} s", flush=True)
        with np.load(path) as kept:
            return tuple(kept[f"arr_{k}"] for k in range(4))


def groups_of(folder, paths):
    """Return the near-duplicate group of each file, computed at most once."""
    path = folder / "groups.npy"
    if not path.is_file():
        from mri_tumor.data.duplicates import group_duplicates
        from mri_tumor.data.hashing import fingerprint_file, perceptual_hashes

        prints = [fingerprint_file(file) for file in paths]
        hashes = perceptual_hashes(np.stack([one.coefficients for one in prints]))
        np.save(path, group_duplicates([one.pixels for one in prints], hashes))
    return np.load(path)


def refused(gate, part, rows=slice(None)):
    """Return whether each picture is refused."""
    return np.array([bool(r) for r in gate.check_described(part[2][rows], part[3][rows])])


def by_kind(kinds, values):
    """Return {kind: [refused, all]}."""
    return {
        str(kind): [int(values[kinds == kind].sum()), int(np.sum(kinds == kind))]
        for kind in np.unique(kinds)
    }


def measure(gate, scans, parts):
    """Return the refused counts of everything that a gate did not see."""
    result = {"scans": {"as_is": [int(scans.sum()), len(scans)]}}
    for name, part in parts.items():
        result[name] = by_kind(part[0], refused(gate, part))
    return result


def report(title, result):
    print(f"\n{title}")
    for name, kinds in result.items():
        count, total = np.sum(list(kinds.values()), axis=0)
        print(f"  {name:<16} refused {count:5d} of {total:5d}  {count / total:8.2%}")
        wrong = {k: v for k, v in kinds.items() if (v[0] < v[1] if name == "no scan" else v[0])}
        if len(kinds) > 1 and wrong:
            print("    " + ", ".join(f"{kind} {a}/{b}" for kind, (a, b) in wrong.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri/ and br35h/")
    parser.add_argument("--model", default="brain-mri", help="a shipped model's name, or a bundle")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the features")
    parser.add_argument("--every", type=int, default=1, help="only every so manieth scan")
    parser.add_argument("--max-refused", type=float, default=0.01)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not (options.data / SOURCES["kaggle"]).is_dir():
        print(f"{options.data}: the real images are not here; nothing to measure")
        return

    from mri_tumor import TumorClassifier

    opened = (
        TumorClassifier.load if Path(options.model).is_dir() else TumorClassifier.from_pretrained
    )
    classifier = opened(options.model)
    store = Store(
        options.cache / f"every-{options.every}", classifier.model_, classifier.preprocessing_
    )
    files = {
        name: sorted(list_images(options.data / folder))[:: options.every]
        for name, folder in SOURCES.items()
    }
    images = {name: as_collection(paths) for name, paths in files.items()}
    scans = {
        name: store(f"scans-{name}", lambda n=name: scan_examples(images[n])) for name in files
    }
    looks = {
        name: store(f"looks-{name}", lambda n=name: look_examples(images[n])) for name in files
    }
    taken_apart = {
        name: store(f"taken-apart-{name}", lambda n=name: scramble_examples(images[n]))
        for name in files
    }
    drawn = store("pictures", picture_examples)
    others = {name: joined(drawn, part) for name, part in taken_apart.items()}
    phantoms = store("phantoms", phantom_examples)
    chosen = [images["kaggle"].read(i) for i in range(0, len(images["kaggle"]), 97)]
    checked = {
        "foreign scans": store("foreign", foreign_examples),
        "phantoms": store("phantoms-new", lambda: phantom_examples(100, seed=900)),
        "no scan": store("held-out", lambda: held_out_examples(chosen)),
    }
    groups = groups_of(store.folder, [file for paths in files.values() for file in paths])
    first = len(files["kaggle"])
    group = {"kaggle": groups[:first], "br35h": groups[first:]}
    results = {}
    for name, other in (("kaggle", "br35h"), ("br35h", "kaggle")):
        gate = fit_described(
            scans[name],
            phantoms,
            others[name],
            groups=group[name],
            max_refused=options.max_refused,
        )
        as_is = refused(gate, scans[other], scans[other][0] == "as_is")
        results[f"fitted to {name}, scans of {other}"] = measure(
            gate, as_is, {"looks": looks[other], **checked}
        )
    shifted = (*scans["br35h"][:1], scans["br35h"][1] + first, *scans["br35h"][2:])
    every = joined(scans["kaggle"], shifted)
    shifted = (*looks["br35h"][:1], looks["br35h"][1] + first, *looks["br35h"][2:])
    every_look = joined(looks["kaggle"], shifted)
    names = np.unique(groups)
    aside = np.isin(groups, np.random.default_rng(5).permutation(names)[: len(names) // 4])
    kept = ~aside[every[1]]
    start = time.perf_counter()
    gate = fit_described(
        tuple(column[kept] for column in every),
        phantoms,
        joined(drawn, *taken_apart.values()),
        groups=groups,
        max_refused=options.max_refused,
    )
    seconds = time.perf_counter() - start
    as_is = refused(gate, every, ~kept & (every[0] == "as_is"))
    look = tuple(column[aside[every_look[1]]] for column in every_look)
    results["fitted to 3/4 of both, scans of the rest"] = measure(
        gate, as_is, {"looks": look, **checked}
    )
    for title, result in results.items():
        report(title, result)
    size = sum(values.nbytes for values in gate.to_arrays().values())
    print(f"\nfitted in {seconds:.0f} s, {size / 1000:.0f} kB; kinds missing here: {missing()}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
