"""The documentation as a site, made by Sphinx: `nox -s docs`."""

from __future__ import annotations

from metaflow_hera import __version__

project = "metaflow_hera"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
html_theme = "furo"
html_title = "metaflow_hera"
html_show_sphinx = html_show_copyright = False
html_copy_source = html_show_sourcelink = False
myst_heading_anchors = 4
"""Headings of these levels can be linked to, under the names that they have in the repository."""
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False, "exclude-members": "__init__, __new__"}
python_maximum_signature_line_length = 100
napoleon_numpy_docstring = False
add_module_names = False
smartquotes = False  # or `--name` in a sentence becomes a dash
copybutton_exclude = ".linenos, .gp"
