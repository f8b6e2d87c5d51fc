"""How the readers say what is wrong with a file."""

from mri_tumor.errors import ImageError


def shown(name: object) -> str:
    r"""Write a file name so that it cannot forge lines or break an output's encoding.

    Parameters
    ----------
    name : object
        A path or a name, from anywhere.

    Returns
    -------
    str
        The name with control characters and undecodable bytes escaped.

    Examples
    --------
    >>> shown("scan.png\nall is well")
    'scan.png\\nall is well'
    """
    text = str(name)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def refusal(name: str, problem: str, advice: str) -> ImageError:
    """Make the error for a file: which one, what is wrong with it, and what to do.

    Parameters
    ----------
    name : str
        The file's name, already made safe by `shown`.
    problem : str
        What is wrong, continuing the sentence that begins with the name.
    advice : str
        What the reader of the message can do.

    Returns
    -------
    ImageError
        The error, to be raised by the caller.
    """
    return ImageError(f"{name}: {problem}. {advice}.")


def not_installed(name: str, kind: str, error: ImportError) -> ImageError:
    """Make the error for a file of a kind whose reader is not installed.

    Parameters
    ----------
    name : str
        The file's name, already made safe by `shown`.
    kind : str
        What the file is.
    error : ImportError
        From importing the reader.

    Returns
    -------
    ImageError
        The error, to be raised by the caller.
    """
    wanted = {
        "DICOM": "pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg",
        "NIfTI": "nibabel",
    }[kind]
    missing = (error.name or wanted).partition(".")[0]
    return refusal(
        name,
        f"is a {kind} file, and {missing} is not installed, which reads it",
        f"Install it with `pip install {wanted}`",
    )
