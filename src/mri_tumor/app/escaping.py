"""Text from anywhere, made harmless where Streamlit reads Markdown."""

from __future__ import annotations

import re

from mri_tumor.images.messages import shown

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=@/])")


def plain(text: str) -> str:
    r"""Escape every character that Markdown could take for more than itself.

    Parameters
    ----------
    text : str
        Such as the name of a file, which could hold a link or a picture from elsewhere.

    Returns
    -------
    str
        Markdown that shows the text as it is.

    Examples
    --------
    >>> print(plain("![x](http://a.b)"))
    \!\[x\]\(http\:\/\/a\.b\)
    """
    return _MARKS.sub(r"\\\1", shown(text))
