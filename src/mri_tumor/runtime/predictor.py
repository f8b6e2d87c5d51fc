"""A saved model that answers without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.answers.engine import Answering
from mri_tumor.answers.predictor import PredictsFromImages
from mri_tumor.answers.stored import read_gate, read_rule
from mri_tumor.bundle import MODEL, Bundle, find_bundle, read_bundle
from mri_tumor.errors import BundleError, ParameterError
from mri_tumor.explain.options import EXPLANATION
from mri_tumor.images.collection import as_collection
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.runtime.engines import ENGINES, engine_spec, open_engine
from mri_tumor.runtime.parts import read_head

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from pathlib import Path

    from mri_tumor.answers.engine import Network
    from mri_tumor.explain.heatmap import Heatmap

# Images that are read ahead and answered together; what one call of an engine takes is its own.
_GROUP = 32
_SHARED = ("flip", "shift", "blur")

EXPLAINS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "grad_cam": _SHARED,
        "head_cam": _SHARED,
        "occlusion": ("patch", "step", "baseline", *_SHARED),
    }
)
"""Explanation methods that need no framework, each with its options."""


class Runtime(PredictsFromImages):
    """A saved model that answers as the classifier does, in a twentieth of its time.

    Research software, not a medical device. Made by `load`.

    Parameters
    ----------
    bundle : Bundle
        The saved model.
    network : callable
        From images (n, size, size, 3) to outputs and feature map.
    engine : str
        What runs the network, one of `ENGINES`.
    batch_size : int
        Images that are read and answered together.

    Attributes
    ----------
    classes_ : ndarray of str
        Classes in the order of `predict_proba`'s columns.
    negative_class_ : str
        The class without a tumour.
    rule_ : DecisionRule
        Temperature, threshold and what else turns probabilities into answers.
    preprocessing_ : Preprocessing
        How images are prepared.
    gate_ : Gate or None
        What refuses images that are no brain MRI slices.
    metadata_ : mapping
        All that the saved model says of itself.
    explanation_ : str
        Method that explains by default: what the saved model names if it needs no framework, else
        ``"grad_cam"``.
    engine : str
        As given.
    """

    def __init__(
        self, bundle: Bundle, network: Network, *, engine: str, batch_size: int = _GROUP
    ) -> None:
        content = bundle.metadata
        self.rule_ = read_rule(bundle)
        try:
            self.preprocessing_ = Preprocessing.from_dict(content["preprocessing"])
        except (ParameterError, TypeError, KeyError, AttributeError) as error:
            message = (
                f"{bundle.path}: its metadata.json does not hold together ({error}). Save the "
                "model again."
            )
            raise BundleError(message) from error
        self.classes_ = np.array(self.rule_.classes)
        self.negative_class_ = self.rule_.negative_class
        self.gate_ = read_gate(bundle)
        self.metadata_: Mapping[str, Any] = content
        named = str(content.get("explanation"))
        self.explanation_ = named if named in EXPLAINS else EXPLANATION
        self.engine = engine
        self._bundle, self._network, self._batch_size = bundle, network, batch_size

    def __repr__(self) -> str:
        return f"<Runtime {self._bundle.path.name!r} engine={self.engine!r}>"

    def explain(
        self,
        X: Any,
        *,
        target: Any = "likeliest_tumor",
        method: str | None = None,
        **options: Any,
    ) -> list[Heatmap]:
        """Show where in each image the evidence for a class lies.

        Parameters
        ----------
        X : paths, array or data set
            Images.
        target : int, str, None or sequence, default="likeliest_tumor"
            A class by name or index; ``"tumor"`` for all tumour classes together; None for
            the likeliest class.
        method : str, optional
            "grad_cam", "head_cam", or "occlusion", some 200 times the work; the others need
            `TumorClassifier`. By default `explanation_`.
        **options
            `flip`, `shift` and `blur`, as in :class:`mri_tumor.explain.TargetOptions`; for
            occlusion also `patch`, `step` and `baseline`, as in
            :func:`mri_tumor.explain.occlusion`.

        Returns
        -------
        list of Heatmap
            One per image, in the pixels of the image as given.

        Raises
        ------
        BundleError
            If the saved model lacks the weights that heatmaps need.
        ImageError
            If an image cannot be read.
        ParameterError
            If the target, the method or an option is not known.
        """
        from mri_tumor.explain.pooled_cam import pooled_grad_cam, pooled_head_cam, pooled_occlusion
        from mri_tumor.explain.prepared import explain_images
        from mri_tumor.explain.registry import get_method

        name = get_method(method or self.explanation_).__name__
        known = EXPLAINS.get(name, ())
        unknown = sorted(set(options).difference(known)) if known else ["method"]
        if unknown:
            able = "; ".join(f"{one} with {', '.join(has)}" for one, has in EXPLAINS.items())
            message = (
                f"{unknown[0]}: the runtime explains by {able}. Use TumorClassifier for other "
                "methods and options."
            )
            raise ParameterError(message)
        ways = {"grad_cam": pooled_grad_cam, "head_cam": pooled_head_cam}
        run = partial(
            ways.get(name, pooled_occlusion),
            self._network,
            read_head(self._bundle),
            class_names=[str(one) for one in self.classes_],
            negative_class=self.negative_class_,
            **options,
        )
        return explain_images(
            run,
            as_collection(X),
            self.preprocessing_,
            target=target,
            method=name,
            batch_size=self._batch_size,
        )

    def _answering(self, threshold: float | None = None) -> Answering:
        rule = self.rule_ if threshold is None else replace(self.rule_, threshold=threshold)
        return Answering(
            network=self._network,
            preprocessing=self.preprocessing_,
            rule=rule,
            gate=self.gate_,
            batch_size=self._batch_size,
        )


def load(
    bundle_or_name: str | os.PathLike[str] | Bundle = "brain-mri",
    *,
    engine: str | None = None,
    threads: int | None = None,
    batch_size: int | None = None,
) -> Runtime:
    """Load a saved or an exported model to answer without TensorFlow.

    Parameters
    ----------
    bundle_or_name : str, path or Bundle, default="brain-mri"
        Folder that `TumorClassifier.save` wrote with ``runtime=True`` or that `mri-tumor export`
        wrote, the name of a model that ships with the library, or what `read_bundle` gave.
    engine : str, optional
        One of `ENGINES`; by default ``"litert"``, or what an exported model is for.
    threads : int, optional
        Threads to compute with; by default the processors given to this process, at most 4.
    batch_size : int, optional
        Images per call of the network where there are as many; by default what is quickest
        with the engine.

    Returns
    -------
    Runtime
        With ``predict``, ``predict_proba``, ``assess``, ``assess_each`` and ``explain`` as
        `TumorClassifier` has them.

    Raises
    ------
    BundleError
        If the model is missing, damaged, or has no file that the engine can read.
    MissingExtraError
        If the engine's package is not installed.
    ParameterError
        If the engine is unknown, or a number below 1.

    Examples
    --------
    >>> from mri_tumor import make_phantoms, runtime
    >>> model = runtime.load("brain-mri")
    >>> model.predict_proba(make_phantoms(2, size=96).images).shape
    (2, 4)
    """
    if engine is not None:
        engine_spec(engine)
    bundle = (
        bundle_or_name
        if isinstance(bundle_or_name, Bundle)
        else read_bundle(find_bundle(bundle_or_name))
    )
    chosen, file = _network_file(bundle, engine)
    network = open_engine(
        chosen,
        file,
        size=_input_size(bundle),
        threads=threads,
        batch_size=batch_size,
    )
    group = max(_GROUP, batch_size or 1)
    return Runtime(bundle, network, engine=chosen, batch_size=group)


def serves(bundle: Bundle) -> bool:
    """Tell whether a saved model can answer without TensorFlow by what the library installs."""
    return "litert" in _networks(bundle)


def has_keras_model(bundle: Bundle) -> bool:
    """Tell whether a bundle holds the model itself; one that was exported does not."""
    return MODEL in bundle.metadata["files"]


def _networks(bundle: Bundle) -> dict[str, str]:
    """Return the network files of a bundle by their format."""
    stored = bundle.metadata.get("runtimes", {})
    files = bundle.metadata["files"]
    try:
        found = {str(kind): str(entry["file"]) for kind, entry in stored.items()}
    except (AttributeError, KeyError, TypeError) as error:
        message = f"{bundle.path}: its metadata.json names no runtime files. Save the model again."
        raise BundleError(message) from error
    # Only files whose hash was checked are opened.
    return {kind: file for kind, file in found.items() if file in files}


def _network_file(bundle: Bundle, engine: str | None) -> tuple[str, Path]:
    """Return the engine and the file that it is to read."""
    there = _networks(bundle)
    wanted = ENGINES if engine is None else {engine: ENGINES[engine]}
    for name, spec in wanted.items():
        for kind in spec.formats:
            if kind in there:
                return name, bundle.path / there[kind]
    reads = "any engine" if engine is None else f"the engine {engine!r}"
    kind = "litert" if engine is None else ENGINES[engine].formats[0]
    source = str(bundle.path) if has_keras_model(bundle) else "MODEL"
    message = (
        f"{bundle.path}: has no file that {reads} can read (it has: "
        f"{', '.join(sorted(there)) or 'none'}). Make one: mri-tumor export {source} "
        f"--format {kind}{' --calibration SCANS' * kind.endswith('int8')} --output FOLDER, and "
        "load that folder."
    )
    raise BundleError(message)


def _input_size(bundle: Bundle) -> int:
    try:
        return int(bundle.metadata["preprocessing"]["size"])
    except (TypeError, KeyError, ValueError) as error:
        message = f"{bundle.path}: its metadata.json does not hold together. Save the model again."
        raise BundleError(message) from error
