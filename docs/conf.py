"""Sphinx settings.

The build needs no network: links to other projects' pages are made only where
`MRI_TUMOR_DOCS_LINKS=1` is set, which fetches their inventories.
"""

import importlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

# Tutorials are run by the build: on the processor, without pop-up windows, and without filling the
# user's cache.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["MRI_TUMOR_CACHE"] = tempfile.mkdtemp(prefix="mri-tumor-docs-")

import draw_architecture
from sphinx.util.nodes import make_refnode

from mri_tumor import __version__

draw_architecture.write()

project = "mri-tumor"
author = "The mri-tumor developers"
copyright = "the mri-tumor developers"
release = version = __version__
language = "en"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_tutorials/*.ipynb", "auto_tutorials/*.py"]
templates_path = ["_templates"]
# `name` in a docstring is linked where it can be imported, and is plain text elsewhere.
default_role = "autolink"

html_theme = "furo"
html_title = f"mri-tumor {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme_options = {
    "announcement": "Research software, not a medical device.",
    "navigation_with_keys": True,
}

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_typehints = "none"
autosummary_generate = True
autosummary_imported_members = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

if os.environ.get("MRI_TUMOR_DOCS_LINKS") == "1":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

sphinx_gallery_conf = {
    "examples_dirs": "../examples/tutorials",
    "gallery_dirs": "auto_tutorials",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 60,
    "show_signature": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib",),
    "ignore_repr_types": r"matplotlib\.(axes|text)",
    # Colab and other notebooks start from a bare machine.
    "first_notebook_cell": "%pip install --quiet mri-tumor\n%matplotlib inline",
    "notebook_images": False,
}

# Pages that a gallery makes, but that nothing here lists: its index and its table of durations.
exclude_patterns += ["auto_tutorials/index.rst", "auto_tutorials/sg_execution_times.rst"]
exclude_patterns += ["sg_execution_times.rst"]

# Groups of phantoms are their own, and parts of a dozen images are small: both are said, once.
warnings.filterwarnings("ignore", category=UserWarning, module="mri_tumor")


def _is_there(target):
    """Say whether a dotted name can be imported."""
    module, _, rest = target.partition(".")
    parts = rest.split(".") if rest else []
    try:
        found = importlib.import_module(module)
        for part in parts:
            module = f"{module}.{part}"
            found = getattr(found, part, None) or importlib.import_module(module)
    except ImportError:
        return False
    return True


def find_reference(app, env, node, contnode):
    """Link a name where it is documented, wherever its docstring was written.

    `read_image` is documented as `mri_tumor.read_image`, and lives in another module. Names that are
    there but are not public, and parameters, are plain text; what is nowhere stays a warning.
    """
    if node.get("refdomain") != "py":
        return None
    target, kind = node["reftarget"], node["reftype"]
    parts = target.split(".")
    objects = env.get_domain("py").objects
    for n_parts in (2, 1):
        end = "." + ".".join(parts[-n_parts:])
        names = [name for name in objects if name.endswith(end)]
        if n_parts == 1:
            kinds = ("function", "class", "exception", "data")
            names = [name for name in names if objects[name].objtype in kinds]
        if len(parts) >= n_parts and names:
            name = min(names, key=lambda name: (len(name), name))
            entry = objects[name]
            page = node.get("refdoc", entry.docname)
            return make_refnode(app.builder, page, entry.docname, entry.node_id, contnode, name)
    return contnode if kind == "obj" or _is_there(target) else None


def setup(app):
    """Tell Sphinx of it."""
    app.connect("missing-reference", find_reference)
