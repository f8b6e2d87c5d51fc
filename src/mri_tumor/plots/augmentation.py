"""What augmentation makes of an image."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mri_tumor.errors import ParameterError
from mri_tumor.plots.sheets import plot_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_augmentation(
    image: ArrayLike,
    *,
    policy: Any = "mixed",
    n_variants: int = 9,
    settings: Any = None,
    seed: int = 0,
    n_columns: int = 5,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw an image as a model sees it, and variants of it as training sees them.

    Parameters
    ----------
    image : array_like of uint8, shape (h, w)
        A decoded grey image, as `read_image` gives.
    policy : str or callable, default="mixed"
        As `augmentation` of `TumorClassifier`.
    n_variants : int, default=9
        How many variants, at least 1.
    settings : Preprocessing, optional
        How the image is prepared; by default as for `TumorClassifier`.
    seed : int, default=0
        Seed of all draws: the same variants as in a training of this seed, for its first image.
    n_columns : int, default=5
        Images in a row.
    ax : matplotlib Axes, optional
        Axes to fill; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        The axes; the first image is the unchanged one.

    Raises
    ------
    ParameterError
        If there is no such policy, or no variant is asked for.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> ax = plot_augmentation(make_phantoms(1, size=64).images[0], n_variants=4)
    >>> ax.figure.savefig("variants.png")
    """
    from mri_tumor.images.preprocessing import Preprocessing
    from mri_tumor.training.augmentation import Variants, get_augmentation

    chosen = get_augmentation(policy)
    if n_variants < 1 or chosen is None:
        wrong = "policy" if chosen is None else "n_variants"
        msg = f"{wrong}: there is nothing to draw without a variant. Ask for one or more."
        raise ParameterError(msg)
    make = Variants(settings=settings or Preprocessing(), policy=chosen, seed=seed)
    pixels = np.asarray(image, dtype=np.uint8)
    shown = [make(pixels, 0, number)[0] for number in range(n_variants + 1)]
    titles = ["unchanged", *(f"variant {number}" for number in range(1, n_variants + 1))]
    return plot_images(shown, titles, n_columns=n_columns, ax=ax)
