"""Errors of the library: one family, each naming what is wrong and what to do."""

from collections.abc import Iterable


class MRITumorError(Exception):
    """Base of every error that this library raises on purpose."""


class ImageError(MRITumorError, ValueError):
    """An image file cannot be read, or an array is not an image."""


class DataError(MRITumorError, ValueError):
    """A data set, a label or a split cannot be used as given."""


class ParameterError(MRITumorError, ValueError):
    """An argument is outside of what the function accepts."""


class BackboneError(MRITumorError, ValueError):
    """A backbone is unknown, broken, or registered twice."""


class WeightsError(MRITumorError, OSError):
    """Named weights cannot be had here, for example without a network."""


class BundleError(MRITumorError, ValueError):
    """A saved model is incomplete, damaged, unsafe or from elsewhere."""


class ExportError(MRITumorError, ValueError):
    """An exported model would not answer as its original does."""


class MissingExtraError(MRITumorError, ImportError):
    """A package that only some installs have is needed; the message names it."""


class CheckpointError(MRITumorError, ValueError):
    """What an unfinished run left cannot be gone on from: in use, damaged, or of another run."""


class WorkerError(MRITumorError, RuntimeError):
    """Other workers cannot be reached, were lost, or were started with something else."""


class NotFittedError(MRITumorError, ValueError, AttributeError):
    """A model was asked for an answer before it was fitted or loaded."""


def suggestion(given: str, known: Iterable[str]) -> str:
    """Guess which known name was meant.

    Parameters
    ----------
    given : str
        A name that is not known.
    known : iterable of str
        Names that there are.

    Returns
    -------
    str
        A sentence to go on with, a space before it; empty if none is near.

    Examples
    --------
    >>> suggestion("Gliom", ["glioma", "notumor"]), suggestion("x", ["glioma"])
    (" Did you mean 'glioma'?", '')
    """
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    near = get_close_matches(str(given).lower(), list(names), n=1)
    return f" Did you mean {names[near[0]]!r}?" if near else ""
