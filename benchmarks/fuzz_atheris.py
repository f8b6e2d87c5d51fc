"""Let atheris look for files that the readers do not bear.

    pip install atheris
    python benchmarks/fuzz_atheris.py dicom corpus/dicom -max_total_time=600

The first argument is a reader of `fuzz_readers.py`; its samples are written into the corpus
folder, which comes next, unless it holds files already. The rest goes to libFuzzer. It stops at
the first input that raises anything but an `ImageError`, or one whose message is not clear, and
writes that input to a file.
"""

import random
import sys
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent))

with atheris.instrument_imports(include=["mri_tumor", "pydicom", "nibabel", "PIL"]):
    # What the readers import when they first meet a file.
    import pydicom.pixels.decoders  # noqa: F401
    from fuzz_readers import clarity, picture
    from scan_samples import samples

    from mri_tumor.errors import ImageError


def one(data):
    """Read one input, by the door and with the options that its length chooses."""
    try:
        picture(random.Random(len(data)), data)
    except ImageError as error:
        why = clarity(str(error))
        if why:
            msg = f"a message {why}: {error}"
            raise AssertionError(msg) from None


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    reader, folder = sys.argv.pop(1), Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for number, data in enumerate(samples()[reader]):
            (folder / f"sample-{number}").write_bytes(data)
    warnings.simplefilter("error")
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
