"""A training reuses the memory that it freed; afterwards the system has it back."""

import json
import os
import subprocess
import sys

import pytest

CHILD = """
import contextlib, json, resource, sys
from mri_tumor.training.memory import freed_memory_kept

BLOCK = 64 * 2**20

def faults(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        bytearray(BLOCK)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

found = {"outside": faults(4)}
with freed_memory_kept():
    bytearray(BLOCK)
    found["inside"] = faults(4)
    found["kept"] = resident()
found["given back"] = found["kept"] - resident()
found["afterwards"] = faults(4)
print(json.dumps(found))
"""
PAGES = 64 * 2**20 // 4096


def run(**settings):
    usual = {
        name: value
        for name, value in os.environ.items()
        if name != "GLIBC_TUNABLES" and not name.startswith("MALLOC_")
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env=usual | settings,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def found():
    figures = run()
    # Without glibc, or where a block comes in huge pages, there is nothing to save.
    if figures["outside"] < 4 * PAGES:
        pytest.skip("blocks of memory are not given back page by page here")
    return figures


def test_freed_memory_is_reused(found):
    assert found["inside"] < PAGES


def test_the_system_has_it_back_afterwards(found):
    assert found["given back"] > 0.9 * PAGES
    assert found["afterwards"] >= 4 * PAGES


def test_what_the_user_set_stays(found):
    assert found["inside"] < PAGES
    assert run(MALLOC_TOP_PAD_="131072")["inside"] >= 4 * PAGES
    assert run(GLIBC_TUNABLES="glibc.malloc.top_pad=131072")["inside"] >= 4 * PAGES
