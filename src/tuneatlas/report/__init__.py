"""The report: one self-contained HTML page that says what was run and what was found."""

from tuneatlas.report.contents import Context, Model, Sample, Source
from tuneatlas.report.page import build_report

__all__ = ["Context", "Model", "Sample", "Source", "build_report"]
