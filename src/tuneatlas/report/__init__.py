"""The report: one self-contained HTML page that says what was run and what was found."""

from tuneatlas.report.page import Context, Model, Sample, Source, build_report

__all__ = ["Context", "Model", "Sample", "Source", "build_report"]
