"""The documentation site: Sphinx over the Markdown of the project, as it lies (make site)."""

# The project's folder is the source, so that links lead on the site where they lead in a clone.
project = "tuneatlas"
copyright = "the tuneatlas authors, Apache-2.0"
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "config/README.md",
    "docs/*.md",
    "docs/tutorials/*.md",
    "docs/tutorials/*.ipynb",
]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.mermaid",
]
suppress_warnings = [
    # Pages begin at whichever level they need on their own.
    "myst.header",
]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
# The notebook is run by the tests; here is what it showed.
nb_execution_mode = "off"

# Docstrings name code by single quotes of this kind, and types in words.
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_custom_sections = [("Source", "returns_style")]
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "tuneatlas"
html_show_sphinx = False
# So that the site begins at its top.
html_additional_pages = {"index": "first.html"}
templates_path = ["templates"]
html_copy_source = False
