"""What a bundle keeps for its answers besides the network: the rule and the gate."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.answers.rule import DecisionRule
from mri_tumor.errors import BundleError, MRITumorError
from mri_tumor.gate import Gate

if TYPE_CHECKING:
    from mri_tumor.bundle import Bundle

GATE_FILE = "gate.npz"


def read_rule(bundle: Bundle) -> DecisionRule:
    """Read how a bundle's network decides.

    Parameters
    ----------
    bundle : Bundle
        From `read_bundle`.

    Returns
    -------
    DecisionRule
        The rule.

    Raises
    ------
    BundleError
        If it does not hold together.
    """
    try:
        return DecisionRule.from_dict(bundle.metadata)
    except MRITumorError as error:
        raise _broken(bundle, error) from error


def read_gate(bundle: Bundle) -> Gate | None:
    """Read what refuses pictures that are no brain MRI slices; None where a bundle has none.

    Parameters
    ----------
    bundle : Bundle
        From `read_bundle`, which checked the hashes of its files.

    Returns
    -------
    Gate or None
        The gate.

    Raises
    ------
    BundleError
        If it does not hold together.
    """
    settings = bundle.metadata.get("gate")
    if settings is None:
        return None
    if GATE_FILE not in bundle.metadata["files"]:
        raise _broken(
            bundle, BundleError(f"it names a gate, and {GATE_FILE} is none of its files")
        )
    try:
        with np.load(bundle.path / GATE_FILE, allow_pickle=False) as stored:
            return Gate.from_stored(settings, {name: stored[name] for name in stored.files})
    except (MRITumorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(bundle, error) from error


def gate_files(gate: Gate | None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what a bundle's metadata and its files keep of a gate."""
    if gate is None:
        return {}, {}
    buffer = io.BytesIO()
    arrays: dict[str, Any] = dict(gate.to_arrays())
    np.savez_compressed(buffer, **arrays)
    return {"gate": gate.to_dict()}, {GATE_FILE: buffer.getvalue()}


def _broken(bundle: Bundle, error: Exception) -> BundleError:
    message = (
        f"{bundle.path}: its metadata.json does not hold together "
        f"({str(error).rstrip('.')}). Save the model again."
    )
    return BundleError(message)
