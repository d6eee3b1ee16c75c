"""The measures of quality a report shows, and figures as people read them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nvrc_lightning.evaluation.metrics import Scores

__all__ = ["MEASURES", "Measure", "bpp", "count", "span"]

_NOTHING = "–"


@dataclass(frozen=True)
class Measure:
    """One measure of quality.

    Args:
        name: of the field of `Scores`.
        label: what readers call it.
        unit: behind a figure; empty for none.
        digits: after the decimal point.
    """

    name: str
    label: str
    unit: str
    digits: int

    @property
    def title(self) -> str:
        """Label and unit, for an axis."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def of(self, scores: Scores) -> float:
        """The score; NaN where it is not defined."""
        return float(getattr(scores, self.name))

    def text(self, value: float, unit: bool = False) -> str:
        """The figure, with its unit if asked for; a dash where there is none."""
        if math.isnan(value):
            return _NOTHING
        figure = "identical" if math.isinf(value) else f"{value:.{self.digits}f}"
        return f"{figure} {self.unit}" if unit and self.unit and math.isfinite(value) else figure


MEASURES = (
    Measure("psnr_rgb", "PSNR-RGB", "dB", 2),
    Measure("psnr_yuv611", "PSNR-YUV 6:1:1", "dB", 2),
    Measure("ms_ssim_rgb", "MS-SSIM-RGB", "", 4),
    Measure("ms_ssim_y", "MS-SSIM-Y", "", 4),
    Measure("vmaf", "VMAF", "", 2),
)
"""In the order readers choose from. The first is defined for every video and shown first."""


def bpp(value: float) -> str:
    """Bits per pixel to four places, or to three significant figures where four places say less."""
    return f"{value:.4f}" if value >= 0.01 else f"{value:#.3g}"


def count(value: float, unit: str = "") -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,.0f} {unit}".rstrip()


def span(values: Iterable[float | None], text: str = ",.3g") -> str:
    """Least to greatest of the values there are, or the one they all are; a dash for none."""
    known = sorted(value for value in values if value is not None and math.isfinite(value))
    ends = dict.fromkeys(format(value, text) for value in known[:1] + known[-1:])
    return "–".join(ends) or _NOTHING
