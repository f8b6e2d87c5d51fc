"""The same answers whatever the batch size, the order, the threads."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawing import blobs

from mri_tumor.classifier import TumorClassifier

# Stated in the docs. Sums of 32-bit floats in another order differ in the last of their bits.
TOLERANCE = 1e-5


@pytest.mark.parametrize("batch_size", [1, 3, 24])
def test_the_batch_size_changes_no_answer(fitted, blob_images, batch_size):
    from dataclasses import replace

    images = blob_images[0]
    rows = replace(fitted._answering(), batch_size=batch_size).probabilities(images)
    np.testing.assert_allclose(rows, fitted.predict_proba(images), rtol=0, atol=TOLERANCE)


def test_a_classifier_may_be_shared_by_threads(fitted, blob_images, tmp_path):
    images = blob_images[0]
    expected = fitted.predict_proba(images)
    # Not compiled yet: the threads meet there first.
    shared = TumorClassifier.load(fitted.save(tmp_path / "model"))
    orders = [np.random.default_rng(seed).permutation(len(images)) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda order: shared.predict_proba(images[order]), orders))
    for order, rows in zip(orders, found, strict=True):
        np.testing.assert_allclose(rows, expected[order], rtol=0, atol=TOLERANCE)


CODE = """
import json, sys
import numpy as np
from mri_tumor.framework import load_quietly
import os
threads = int(sys.argv[2])
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
load_quietly()
from mri_tumor.classifier import TumorClassifier
print(json.dumps(TumorClassifier.load(sys.argv[1]).predict_proba(np.load(sys.argv[3])).tolist()))
"""


@pytest.mark.slow
def test_the_number_of_threads_changes_no_answer(fitted, tmp_path):
    model = fitted.save(tmp_path / "model")
    images, _ = blobs(seed=3)
    np.save(tmp_path / "images.npy", images)
    rows = []
    for threads in (1, 2, 7):
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(model), str(threads), str(tmp_path / "images.npy")],
            capture_output=True, text=True, check=True, env={**os.environ},
        )  # fmt: skip
        rows.append(json.loads(done.stdout))
    for other in rows[1:]:
        np.testing.assert_allclose(rows[0], other, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(rows[0], fitted.predict_proba(images), rtol=0, atol=TOLERANCE)
