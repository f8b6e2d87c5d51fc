"""Run the study cell by cell, and keep what it shows as a page of the docs and as a notebook.

    STUDY_DATA=.../Training STUDY_OUTPUT=... python examples/study/make_page.py

writes `docs/tutorials/kaggle-study.rst`, its pictures in `docs/images/study`, and
`kaggle_study.ipynb` beside this file, with the tables and plots of this run. Nothing that shows a scan
is in them. Needs the packages of the docs.
"""

import argparse
import ast
import base64
import contextlib
import io
import json
import re
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCRIPT = HERE / "kaggle_study.py"
INSTALL = "%pip install --quiet mri-tumor\n%matplotlib inline"
DPI = 90
NOTE = """.. note::

   Tables and plots are those of a run on the ``Training`` part of the data set, made into this page by
   ``examples/study/make_page.py``. The script, and a notebook with the same outputs, are in
   ``examples/study``. The model is that of ``mri-tumor train``.
"""


def run_cell(code, names):
    """Run a cell; return what it printed, its last value, and its pictures as PNG."""
    tree = ast.parse(code)
    # As in a notebook, a semicolon at the end keeps the value to itself.
    shows = tree.body and isinstance(tree.body[-1], ast.Expr) and not code.rstrip().endswith(";")
    last = ast.Expression(tree.body.pop().value) if shows else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, str(SCRIPT), "exec"), names)  # noqa: S102 - our own script
        if last is not None:
            value = eval(compile(last, str(SCRIPT), "eval"), names)  # noqa: S307
    pictures = []
    for number in plt.get_fignums():
        stream = io.BytesIO()
        plt.figure(number).savefig(stream, dpi=DPI, bbox_inches="tight")
        pictures.append(stream.getvalue())
    plt.close("all")
    return printed.getvalue(), value, pictures


def as_html(value):
    """Return a value as a notebook shows it, or None."""
    if hasattr(value, "to_html"):
        return value.to_html(border=0)
    draw = getattr(value, "_repr_html_", None)
    return draw() if draw else None


def outputs_of(printed, value, pictures):
    """Return what a notebook keeps of a cell."""
    found = []
    if printed:
        found.append({"output_type": "stream", "name": "stdout", "text": printed})
    data = [{"image/png": base64.b64encode(one).decode()} for one in pictures]
    if html := as_html(value):
        data.append({"text/plain": str(value), "text/html": html})
    return [*found, *({"output_type": "display_data", "metadata": {}, "data": d} for d in data)]


def indented(text):
    """Indent a block for reStructuredText."""
    return "\n".join(f"   {line}".rstrip() for line in text.strip("\n").splitlines())


def page_of(cell, number, folder):
    """Return the lines of a code cell and its outputs for the page; write its pictures."""
    code, (printed, value, pictures) = cell
    yield f".. code-block:: python\n\n{indented(code)}\n"
    if printed:
        yield f".. code-block:: none\n\n{indented(printed)}\n"
    if html := as_html(value):
        yield f".. raw:: html\n\n{indented(f'<div class=table-wrapper>{html}</div>')}\n"
    for i, picture in enumerate(pictures):
        name = f"study-{number}-{i}.png"
        (folder / name).write_bytes(picture)
        yield f".. image:: ../images/study/{name}\n   :alt: {names_of(code)}\n"


def names_of(code):
    """Say in words what a cell draws: its title, or its axis."""
    found = re.search(r"(?:title|xlabel|\bx)=\"([^\"]+)\"|plot_(\w+)", code)
    return next(filter(None, found.groups()), "plot").replace("_", " ") if found else "plot"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    parser.add_argument("--notebook", type=Path, default=HERE / "kaggle_study.ipynb")
    given = parser.parse_args()
    _, blocks = split_code_and_text_blocks(str(SCRIPT))
    conf = {**DEFAULT_GALLERY_CONF, "first_notebook_cell": INSTALL, "notebook_images": False}
    conf.pop("last_notebook_cell", None)
    notebook = jupyter_notebook(blocks, {"last_notebook_cell": None, **conf}, str(HERE))
    code_cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][1:]
    folder = given.docs / "images" / "study"
    folder.mkdir(parents=True, exist_ok=True)
    names, page, number = {"__name__": "study"}, [], 0
    for block in blocks:
        if block.type == "text":
            page += [block.content.strip() + "\n", *([] if page else [NOTE])]
            continue
        print(block.content.strip().splitlines()[0], flush=True)
        found = run_cell(block.content, names)
        code_cells[number]["outputs"] = outputs_of(*found)
        number += 1
        page += page_of((block.content, found), number, folder)
    (given.docs / "tutorials" / "kaggle-study.rst").write_text("\n".join(page), encoding="utf-8")
    given.notebook.write_text(json.dumps(notebook, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
