"""Training on several machines takes the steps of one, and survives the loss of a worker."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mri_tumor.errors import ParameterError
from mri_tumor.training.workers import is_chief, open_workers

SCRIPT = Path(__file__).with_name("training_worker.py")
# Sums of 32-bit numbers in another order: this is what "the same result" means.
TOLERANCE = 1e-4
PARAMETERS = {
    "strategy": "multi-worker", "epochs": 3, "finetune_epochs": 2, "finetune_layers": 1,
    "learning_rate": 0.01, "n_variants": 3, "batch_size": 7, "seed": 3,
}  # fmt: skip


def free_ports(count):
    """Find ports; they are free until somebody else takes them."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(folder, settings, *, workers=1):
    """Start workers on loopback, each in a process of its own; `settings` has one dict each."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    processes = []
    for place in range(workers):
        file = folder / f"settings-{workers}-{place}.json"
        own = {"output": str(folder / f"result-{workers}-{place}.npz"), **settings[place]}
        file.write_text(json.dumps(own))
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(
                {
                    "cluster": {"worker": addresses},
                    "task": {"type": "worker", "index": place},
                }
            ),
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, SCRIPT, file], env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
    return processes


def wait(processes):
    """Wait for processes; give their exit codes and outputs."""
    found = []
    try:
        for process in processes:
            output, errors = process.communicate(timeout=600)
            found.append((process.returncode, output + errors[-2000:]))
    finally:
        for process in processes:
            process.kill()
    return found


def train(folder, workers, **settings):
    """Train to the end; give the result of each worker."""
    own = {"classifier": PARAMETERS, **settings}
    ended = wait(start(folder, [own] * workers, workers=workers))
    assert [code for code, _ in ended] == [0] * workers, ended
    return [np.load(folder / f"result-{workers}-{place}.npz") for place in range(workers)]


def assert_same(one, other, tolerance=TOLERANCE):
    assert set(one.files) == set(other.files)
    for name in one.files:
        np.testing.assert_allclose(one[name], other[name], atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The result of one worker."""
    return train(tmp_path_factory.mktemp("alone"), 1)[0]


def test_two_workers_take_the_steps_of_one(alone, tmp_path):
    first, second = train(tmp_path, 2)
    assert_same(first, second, 0)
    assert_same(first, alone)
    assert len(first["losses"]) == 5
    assert first["losses"][-1] < first["losses"][0]


@pytest.mark.slow
def test_cached_activations_are_shared_too(tmp_path):
    (one,) = train(tmp_path, 1, cache=str(tmp_path / "cache"))
    first, second = train(tmp_path, 2, cache=str(tmp_path / "cache"))
    assert_same(first, second, 0)
    # Activations are kept as float16, and each worker computes its own.
    assert_same(first, one, 2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1], ids=["the chief", "the other"])
def test_training_goes_on_after_a_worker_was_lost(lost, alone, tmp_path):
    own = {"classifier": PARAMETERS, "checkpoint": str(tmp_path / "checkpoint")}
    settings = [dict(own), dict(own)]
    settings[lost]["dies_behind"] = 4
    ended = wait(start(tmp_path, settings, workers=2))
    assert ended[lost][0] == 9
    code, output = ended[1 - lost]
    assert (code, "WorkerError" in output) == (3, True), output
    assert (tmp_path / "checkpoint" / "state.npz").exists()
    again = train(tmp_path, 2, checkpoint=str(tmp_path / "checkpoint"))
    assert_same(again[0], alone)
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.slow
def test_one_worker_goes_on_where_two_were(alone, tmp_path):
    own = {"classifier": PARAMETERS, "checkpoint": str(tmp_path / "checkpoint")}
    wait(start(tmp_path, [{**own, "dies_behind": 2}] * 2, workers=2))
    assert_same(train(tmp_path, 1, checkpoint=own["checkpoint"])[0], alone)


@pytest.mark.slow
def test_workers_that_train_something_else_are_refused(tmp_path):
    other = {"classifier": {**PARAMETERS, "learning_rate": 0.1}}
    ended = wait(start(tmp_path, [{"classifier": PARAMETERS}, other], workers=2))
    assert [code for code, _ in ended] == [3, 3]
    assert "another stages than worker 0" in ended[1][1]


def test_strategies_have_names(monkeypatch):
    with pytest.raises(ParameterError, match="'mirrored', 'multi-worker' or None"):
        open_workers("tpu")
    assert open_workers(None) is None


@pytest.mark.parametrize(
    "config",
    ["{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
     '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}'],
)  # fmt: skip
def test_a_broken_configuration_is_named(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ParameterError, match="TF_CONFIG: must be like"):
        is_chief("multi-worker")


def test_the_first_worker_is_the_chief(monkeypatch):
    config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert not is_chief("multi-worker")
    assert is_chief("mirrored")
    assert is_chief(None)
