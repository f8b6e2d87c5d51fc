"""Pieces of HTML in which every string is escaped: names of files are not to be trusted."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from html import escape
from os import PathLike, fspath
from typing import Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.evaluation.render import html_table

MOST_ROWS = 50
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1a1a1a;
  background: #fff; max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 2px solid #0072b2; }
.notice { background: #fff4e5; border-left: 4px solid #d55e00; padding: .5rem .8rem; }
.cards { display: flex; flex-wrap: wrap; gap: .7rem; margin: 1rem 0; padding: 0; }
.card { list-style: none; border: 1px solid #ccc; border-radius: 6px; padding: .5rem .9rem;
  flex: 1 1 8rem; }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.card span { color: #444; font-size: .85rem; display: block; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums;
  font-size: .88rem; display: block; overflow-x: auto; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; white-space: nowrap; }
tr:has(+ tr.more) > * { border-bottom: 0; padding-bottom: 0; }
tr.more { color: #555; }
th, td { padding: .18rem .7rem; border-bottom: 1px solid #e3e3e3; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #999; white-space: nowrap; }
tbody th { font-weight: 500; min-width: 7rem; }
figure { margin: 1rem 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
img { max-width: 100%; height: auto; }
figcaption, .small { font-size: .85rem; color: #444; }
nav a { margin-right: .9rem; white-space: nowrap; }
.todo { color: #595959; }
@media print { body { max-width: none; padding: 0; } figure, tr { break-inside: avoid; }
  nav { display: none; } }
"""


_MOST_COLUMNS = 4


def page(title: str, body: str) -> str:
    """Wrap a body into a page that may load nothing from anywhere.

    Parameters
    ----------
    title : str
        Title, as plain text.
    body : str
        HTML that is safe already.

    Returns
    -------
    str
        A whole HTML document.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )
    # A file's name may hold bytes that are no text.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def picture(content: Any, caption: str) -> str:
    """Put a picture into the page as a data URI.

    Parameters
    ----------
    content : matplotlib Axes, bytes of a PNG file, or ndarray of uint8
        The picture; arrays are (h, w) grey or (h, w, 3) RGB.
    caption : str
        What it shows; also what a reader who cannot see it is told.

    Returns
    -------
    str
        An HTML figure.

    Raises
    ------
    ParameterError
        If it is none of these.
    """
    data = base64.b64encode(png_bytes(content)).decode("ascii")
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def png_bytes(content: Any) -> bytes:
    """Turn axes, an array or PNG bytes into PNG bytes; see `picture`."""
    if isinstance(content, bytes):
        if not content.startswith(b"\x89PNG\r\n\x1a\n"):
            msg = "images must be PNG files when given as bytes; these are something else"
            raise ParameterError(msg)
        return content
    buffer = io.BytesIO()
    if hasattr(content, "figure"):
        content.figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()
    from PIL import Image

    pixels = np.asarray(content)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        msg = (
            "images must be matplotlib Axes, PNG bytes or uint8 arrays (h, w) or (h, w, 3); "
            f"received {type(content).__name__} of shape {pixels.shape}, {pixels.dtype}"
        )
        raise ParameterError(msg)
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def facts(title: str, values: Mapping[str, Any]) -> str:
    """Lay plain data out as tables, nested mappings as tables of their own.

    Parameters
    ----------
    title : str
        Caption.
    values : mapping
        What `plainly` gave.

    Returns
    -------
    str
        HTML.
    """
    simple = [(_label(key), _cell(v)) for key, v in values.items() if not _is_table(v)]
    parts = [html_table(title, ("", ""), simple)] if simple else []
    for names in _alike(values):
        if len(names) > 1:
            parts.append(_table(title, {name: values[name] for name in names}))
        else:
            parts.append(_table(f"{title}: {_label(names[0])}", values[names[0]]))
    return "".join(parts)


def _alike(values: Mapping[str, Any]) -> list[list[str]]:
    """Group the entries that are tables, those of the same columns together."""
    groups: dict[Any, list[str]] = {}
    for name, value in values.items():
        if _is_table(value):
            groups.setdefault(tuple(value) if _is_row(value) else name, []).append(name)
    return list(groups.values())


def plainly(value: Any) -> Any:
    """Turn anything a run collects into what JSON can hold.

    Parameters
    ----------
    value : object
        Mappings, sequences, arrays, dataclasses, numbers, paths, text.

    Returns
    -------
    object
        Dictionaries, lists, text, numbers and None; NaN and infinite numbers are None.
    """
    if hasattr(value, "to_dict"):
        return plainly(value.to_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return plainly(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plainly(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plainly(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plainly(item) for item in value]
    if isinstance(value, np.generic):
        return plainly(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, PathLike):
        return fspath(value)
    return value if isinstance(value, str | int | bool | None) else str(value)


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list) and any(isinstance(item, Mapping) for item in value)


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(map(_is_table, value.values()))


def _table(title: str, value: Any) -> str:
    if isinstance(value, list):
        rows = [item for item in value if isinstance(item, Mapping)]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [tuple(_cell(row.get(key)) for key in columns) for row in rows[:MOST_ROWS]]
        more = len(rows) - MOST_ROWS
        note = f" (the first {MOST_ROWS} of {len(rows):,})" if more > 0 else ""
        return html_table(title + note, tuple(map(_label, columns)), cells)
    if all(map(_is_row, value.values())):
        columns = list(dict.fromkeys(key for row in value.values() for key in row))
        if len(columns) > _MOST_COLUMNS and len(value) < len(columns):
            # A wide table of few rows is easier to read on its side, and fits a narrow page.
            value = {c: {k: row.get(c) for k, row in value.items()} for c in columns}
            columns = list(value[columns[0]])
        cells = [(_label(k), *(_cell(row.get(c)) for c in columns)) for k, row in value.items()]
        return html_table(title, ("", *map(_label, columns)), cells[:MOST_ROWS])
    return facts(title, value)


def _label(key: Any) -> str:
    return str(key).replace("_", " ")


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        shown = ", ".join(map(_cell, value[:MOST_ROWS]))
        return shown + (f" and {len(value) - MOST_ROWS:,} more" if len(value) > MOST_ROWS else "")
    return str(value)


def cards(items: Sequence[tuple[str, str, str]]) -> str:
    """Lay out a few figures large: name, value, and a note under each."""
    return (
        '<ul class="cards">'
        + "".join(
            f'<li class="card"><span>{escape(name)}</span><b>{escape(value)}</b>'
            f"<span>{escape(note)}</span></li>"
            for name, value, note in items
        )
        + "</ul>"
    )
