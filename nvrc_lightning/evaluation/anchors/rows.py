"""The data files of this folder, as rows."""

import csv
from functools import cache
from importlib.resources import files

__all__ = ["read_rows"]


@cache
def read_rows(name: str) -> tuple[dict[str, str], ...]:
    """All rows of a data file, by column."""
    text = files("nvrc_lightning.evaluation.anchors").joinpath(name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
