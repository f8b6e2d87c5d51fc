"""Sphinx settings."""

from mri_tumor import __version__

project = "mri-tumor"
author = "The mri-tumor developers"
release = version = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mri-tumor {release}"
autodoc_typehints = "none"
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
