"""Mutate valid image files of every kind and count what the readers make of them.

    python benchmarks/fuzz_readers.py --cases 10000 --seed 0

Each reader gets `--cases` mutants: flipped bytes, truncation, removed, repeated and exchanged
pieces, and extreme values in header fields; in packed kinds also beneath the compression, and
with checksums mended. They run in a child process with limited memory, so that a decoder that
brings the process down is counted, not suffered. It prints one JSON object.

What is counted, of which only the first two are good:

* ``read``: a uint8 image of at least 16 x 16 pixels, or a volume of them
* ``refused``: an `ImageError` that names the file, says what is wrong and what to do
* ``unclear``: an `ImageError` that does not, or that quotes what the file holds
* ``crash``: any other exception, a warning, or the end of the process
* ``slow``: more than `--slow` seconds
* ``changed``: a truncated file that gave another picture than the whole file

``printed_lines`` counts what decoders wrote to standard error by themselves, as libtiff does.
"""

import argparse
import gzip
import io
import json
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "images"))

import numpy as np
from scan_samples import SECRET, samples

from mri_tumor.errors import ImageError
from mri_tumor.images import read_image, read_volume

NAME = "fuzzed file"
MEMORY = 6 * 2**30
HANG = 120
EXTREMES = (0, 1, 2**7 - 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
# Words of other libraries, which say nothing to the person with the file.
FOREIGN = re.compile(
    r"Error|Exception|Traceback|errno|\bPIL\b|pydicom|nibabel|numpy\.|0x", re.IGNORECASE
)


def place(rng, data):
    """Choose a position, more often in the header than in the pixels."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 600)
    return rng.randrange(max(1, end))


def flip(rng, data):
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        data[place(rng, data)] = rng.randrange(256)
    return data


def truncate(rng, data):
    return data[: rng.randrange(len(data))]


def remove(rng, data):
    at = place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 16, 256))]
    return data


def repeat(rng, data):
    at, length = place(rng, data), rng.choice((1, 4, 16, 64, 1024))
    data[at:at] = data[at : at + length] * rng.choice((1, 1, 2, 50))
    return data


def insert(rng, data):
    at = place(rng, data)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 256)))
    return data


def zero(rng, data):
    at = place(rng, data)
    length = min(len(data) - at, rng.choice((4, 16, 256)))
    data[at : at + length] = bytes(length)
    return data


def extreme(rng, data):
    for _ in range(rng.choice((1, 1, 2, 3))):
        size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
        at = place(rng, data) // size * size + rng.choice((0, 0, 0, rng.randrange(size)))
        value = rng.choice(EXTREMES) % 2 ** (8 * size)
        data[at : at + size] = value.to_bytes(size, order)
    return data


def exchange(rng, data, other):
    at = place(rng, data)
    length = rng.choice((2, 8, 64, 512))
    data[at : at + length] = other[at : at + length]
    return data


SIMPLE = (flip, flip, extreme, extreme, remove, repeat, insert, zero)


def simple(rng, data, others):
    if rng.random() < 0.1:
        return exchange(rng, data, rng.choice(others))
    return rng.choice(SIMPLE)(rng, data)


def beneath(rng, data, others):
    """Mutate below a layer that would notice: gzip, deflate, the checksums of PNG."""
    data = bytes(data)
    if data[:2] == b"\x1f\x8b":
        return bytearray(gzip.compress(simple(rng, bytearray(gzip.decompress(data)), others), 1))
    if data[:4] == b"\x89PNG":
        return mended(simple(rng, bytearray(data), others))
    if b"1.2.840.10008.1.2.1.99" in data[:400]:
        start = 144 + int.from_bytes(data[140:144], "little")
        inner = simple(rng, bytearray(zlib.decompress(data[start:], -15)), others)
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        return bytearray(data[:start] + packer.compress(bytes(inner)) + packer.flush())
    return simple(rng, bytearray(data), others)


def mended(data):
    """Give every chunk of a PNG the checksum of what it holds."""
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        crc = zlib.crc32(data[at + 4 : at + 8 + length])
        data[at + 8 + length : at + 12 + length] = struct.pack(">I", crc)
        at += 12 + length
    return data


def mutant(rng, seeds):
    """Return a mutant, the sample that it came from, and whether it is merely cut."""
    sample = rng.choice(seeds)
    if rng.random() < 0.12:
        return bytes(truncate(rng, bytearray(sample))), sample, True
    change = beneath if rng.random() < 0.4 else simple
    data = change(rng, bytearray(sample), seeds)
    if rng.random() < 0.15:
        data = simple(rng, bytearray(data), seeds)
    return bytes(data), sample, False


def check(image):
    good = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 2
    if not good or min(image.shape) < 16:
        msg = "the reader gave no image"
        raise AssertionError(msg)


def picture(rng, data):
    """Read by one of the doors; return something that can be compared."""
    options = {"allow_modality": rng.choice(("MR", "*")), "name": NAME}
    if rng.random() < 0.3:
        options["window"] = rng.choice(("percentile", "range", (0, 500)))
    plane = rng.choice((None, None, "coronal", "sagittal"))
    if rng.random() < 0.5:
        image = read_image(data, page=rng.choice((None, 0, 1)), plane=plane, **options)
        check(image)
        return [image]
    number = rng.choice((None, None, 0))
    with read_volume(io.BytesIO(data), plane=plane, volume=number, **options) as volume:
        images = [volume[at] for at in sorted({0, len(volume) // 2, len(volume) - 1})]
    for image in images:
        check(image)
    return [np.array([len(volume)]), *images]


def clarity(message):
    """Return why a message is not clear, None if it is."""
    if not message.startswith(NAME + ": "):
        return "does not name the file"
    if SECRET[:6] in message:
        return "quotes the file"
    if FOREIGN.search(message):
        return "speaks of the code"
    if not message.isprintable() or not 40 <= len(message) <= 400:
        return "is too short, too long or broken"
    return None if re.search(r"\S\. [A-Z].+\.$", message) else "does not say what to do"


def outcome(rng, data, sample, cut):
    state = rng.getstate()
    try:
        got = picture(rng, data)
    except ImageError as error:
        why = clarity(str(error))
        return ("unclear", f"{why}: {error}") if why else ("refused", None)
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return "crash", f"{type(error).__name__}: {error}"
    if not cut:
        return "read", None
    rng.setstate(state)
    whole = picture(rng, sample)
    same = len(got) == len(whole) and all(map(np.array_equal, got, whole))
    return ("read", None) if same else ("changed", f"cut to {len(data)} of {len(sample)} bytes")


def case_of(reader, seeds, seed, number):
    rng = random.Random(f"{reader} {seed} {number}")
    data, sample, cut = mutant(rng, seeds)
    return rng, data, sample, cut


def work(reader, seed, start, stop, slow):
    """Run cases in this process, one JSON line each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("error")
    seeds = samples()[reader]
    for number in range(start, stop):
        rng, data, sample, cut = case_of(reader, seeds, seed, number)
        print(json.dumps({"begin": number}), flush=True)
        began = time.perf_counter()
        kind, words = outcome(rng, data, sample, cut)
        seconds = time.perf_counter() - began
        if seconds > slow and kind in ("read", "refused"):
            kind, words = "slow", f"{seconds:.1f} s"
        print(json.dumps({"end": number, "kind": kind, "words": words, "seconds": seconds}))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peak_mb": round(peak)}), flush=True)


def run(reader, options):
    """Run all cases of a reader in child processes, going on after each that dies."""
    counts = dict.fromkeys(("read", "refused", "unclear", "crash", "slow", "changed"), 0)
    findings, start, longest, peak, printed = [], 0, 0.0, 0, 0
    began = time.perf_counter()
    while start < options.cases:
        command = [
            sys.executable, __file__, "--worker", reader, "--seed", str(options.seed),
            "--start", str(start), "--cases", str(options.cases), "--slow", str(options.slow),
        ]  # fmt: skip
        with tempfile.TemporaryFile() as errors:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
            running = None
            signal.alarm(HANG)
            try:
                for line in child.stdout:
                    signal.alarm(HANG)
                    record = json.loads(line)
                    if "begin" in record:
                        running = record["begin"]
                    elif "end" in record:
                        running, start = None, record["end"] + 1
                        counts[record["kind"]] += 1
                        longest = max(longest, record["seconds"])
                        if record["words"]:
                            findings.append({"case": record["end"], **record})
                    else:
                        peak = max(peak, record["peak_mb"])
            except TimeoutError:
                child.kill()
            signal.alarm(0)
            child.wait()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        if running is not None:
            counts["crash"] += 1
            findings.append(
                {"case": running, "kind": "crash", "words": f"exit {child.returncode}"}
            )
            start = running + 1
        elif child.returncode:
            sys.exit(f"{reader}: the worker failed: {said[-2000:]}")
        elif SECRET in said:
            counts["unclear"] += 1
            findings.append({"kind": "unclear", "words": f"printed: {said[:300]}"})
        printed += len(said.splitlines())
    return {
        **counts,
        "cases": options.cases,
        "seconds": round(time.perf_counter() - began, 1),
        "longest_s": round(longest, 2),
        "peak_mb": peak,
        "printed_lines": printed,
        "findings": findings[: options.findings],
    }


def stop_waiting(*_):
    raise TimeoutError


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000, help="mutants per reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", nargs="*", default=None, help="by default all")
    parser.add_argument("--slow", type=float, default=5.0, help="seconds")
    parser.add_argument("--findings", type=int, default=20, help="how many to print per reader")
    parser.add_argument("--save", help="write the mutant of READER:CASE to standard output")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.seed, options.start, options.cases, options.slow)
        return
    if options.save:
        reader, number = options.save.split(":")
        data = case_of(reader, samples()[reader], options.seed, int(number))[1]
        sys.stdout.buffer.write(data)
        return
    signal.signal(signal.SIGALRM, stop_waiting)
    readers = options.readers or list(samples())
    result = {reader: run(reader, options) for reader in readers}
    totals = {
        key: sum(counts[key] for counts in result.values())
        for key in ("cases", "read", "refused", "unclear", "crash", "slow", "changed")
    }
    print(json.dumps({"seed": options.seed, "readers": result, "total": totals}, indent=1))


if __name__ == "__main__":
    main()
