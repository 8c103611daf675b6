"""Sphinx: `make docs` builds these pages and the reference from the docstrings into site/."""

import atdata

project = "atdata on Polars"
author = "The atdata authors"
version = release = atdata.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to files outside docs/ lead into the repository
