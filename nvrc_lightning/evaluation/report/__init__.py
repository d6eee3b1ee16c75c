"""The report of a bench: one self-contained HTML file, and its plots as SVG and PNG."""

from nvrc_lightning.evaluation.report.report import write_report

__all__ = ["write_report"]
