"""Head-CAM: what the head says of each cell of the feature map alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mri_tumor.explain.core import Explanation, explain_with, method, prepare
from mri_tumor.explain.layers import choose_layers
from mri_tumor.explain.pooled_head import read_pooled_head

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.explain.engine import Pass
    from mri_tumor.explain.options import TargetOptions
    from mri_tumor.explain.targets import Target, Targets


@method
def head_cam(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    batch_size: int = 32,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain images by laying the head on each cell of the feature map.

    The head answers for the mean over the cells. Asked about one cell, it gives the log-odds of the
    class against all others there; the map is what is positive of them. For a head of one dense
    layer that is the class activation map [1]_. It shows where the tumor is if the network was
    taught to tell cell by cell, as the packaged weights were; elsewhere prefer
    :func:`~mri_tumor.explain.layer_cam`.

    Parameters
    ----------
    model, images, target, batch_size
        As in :func:`~mri_tumor.explain.grad_cam`; the model must end in *global average pooling ->
        dense, ReLU -> (dropout) -> dense*.
    **options
        See :class:`mri_tumor.explain.TargetOptions`.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere: then no single cell
        speaks for the class.

    Raises
    ------
    ImageError
        If `images` is no finite batch that fits the model.
    ParameterError
        If the model ends in another way, or a target or option is unknown.

    References
    ----------
    .. [1] Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016.
       arXiv:1512.04150

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import head_cam
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(8, activation="relu"),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> head_cam(model, images).shape
    (2, 32, 32)
    """
    job = prepare(model, images, target=target, batch_size=batch_size, **options)
    head = read_pooled_head(model)
    numbers = choose_layers(job.engine)

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(
            batch, targets, numbers=numbers, reduce=_values, differentiate=False
        )
        features = answer.extra[0][0]
        return head.cell_evidence(features, targets, shape=job.engine.shape[:2]), answer

    return explain_with(job, explainer)


def _values(values: Any, gradients: Any) -> tuple[Any]:
    """Hand the feature map on as it is."""
    del gradients
    return (values,)
