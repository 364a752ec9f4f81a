"""What the report and the audit page have in common: colours, type and the head of the page."""

from importlib.resources import files

# The report holds it in itself; the audit page has it as a file.
BASE_STYLE = (files("tuneatlas.theme") / "base.css").read_text(encoding="utf-8")
