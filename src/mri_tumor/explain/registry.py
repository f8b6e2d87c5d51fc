"""All methods by name."""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ParameterError, suggestion
from mri_tumor.explain.methods.eigen_cam import eigen_cam
from mri_tumor.explain.methods.grad_cam import grad_cam
from mri_tumor.explain.methods.grad_cam_plus_plus import grad_cam_plus_plus
from mri_tumor.explain.methods.head_cam import head_cam
from mri_tumor.explain.methods.hires_cam import hires_cam
from mri_tumor.explain.methods.integrated_gradients import integrated_gradients
from mri_tumor.explain.methods.layer_cam import layer_cam
from mri_tumor.explain.methods.occlusion import occlusion
from mri_tumor.explain.methods.saliency import saliency
from mri_tumor.explain.methods.score_cam import score_cam
from mri_tumor.explain.methods.smooth_grad import smooth_grad
from mri_tumor.explain.options import CamOptions, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mri_tumor.explain.core import Explanation, Method

_ALL: tuple[Method[...], ...] = (
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    head_cam,
    score_cam,
    eigen_cam,
    occlusion,
    saliency,
    smooth_grad,
    integrated_gradients,
)
METHODS: Mapping[str, Method[...]] = MappingProxyType({one.__name__: one for one in _ALL})
"""Every method by its name, such as ``"grad_cam"``."""


def get_method(name: str) -> Method[...]:
    """Look a method up.

    Parameters
    ----------
    name : str
        Its name in :data:`METHODS`; case does not matter, and hyphens may stand for underscores.

    Returns
    -------
    callable
        The method: takes a model and images, gives maps (n, h, w).

    Raises
    ------
    ParameterError
        If there is none of that name.

    Examples
    --------
    >>> get_method("Grad-CAM").__name__
    'grad_cam'
    """
    key = str(name).lower().replace("-", "_")
    if key not in METHODS:
        hint = suggestion(key, METHODS)
        raise ParameterError(f"method: unknown {name!r};{hint} use one of {', '.join(METHODS)}")
    return METHODS[key]


def method_options(name: str) -> tuple[str, ...]:
    """List the options that a method takes besides model and images.

    Parameters
    ----------
    name : str
        As in :func:`get_method`.

    Returns
    -------
    tuple of str
        Names of keyword arguments.

    Raises
    ------
    ParameterError
        If there is no method of that name.

    Examples
    --------
    >>> "layer" in method_options("grad_cam"), "layer" in method_options("saliency")
    (True, False)
    """
    function = get_method(name)
    parameters = inspect.signature(function.__wrapped__).parameters.values()
    own = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    shared = CamOptions if "layer" in own else TargetOptions
    return tuple(dict.fromkeys([*own, *shared.__annotations__]))


def explain_batch(
    model: Any, images: Any, *, method: str = "grad_cam", **options: Any
) -> Explanation:
    """Explain a batch by any method, and hand back the answers from the same passes.

    Parameters
    ----------
    model : keras.Model
        Any classifier.
    images : array_like of int or float, shape (n, h, w, c)
        A batch of model input.
    method : str, default="grad_cam"
        As in :func:`get_method`.
    **options
        What the method takes, see :func:`method_options`.

    Returns
    -------
    Explanation
        Maps, probabilities, and the class explained in each image.

    Raises
    ------
    ImageError
        If `images` is no finite batch that fits the model.
    ParameterError
        If the method does not exist or does not take an option, or as the method raises.
    """
    known = method_options(method)
    unknown = sorted(set(options).difference(known))
    if unknown:
        raise ParameterError(
            f"{unknown[0]}: the method {method!r} takes no such option; it takes "
            f"{', '.join(known)}"
        )
    result: Explanation = get_method(method).__wrapped__(model, images, **options)
    return result
