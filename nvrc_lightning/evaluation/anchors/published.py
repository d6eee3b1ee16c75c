"""Points of published rate-distortion curves."""

import math
from dataclasses import dataclass

from nvrc_lightning.evaluation.anchors.rows import read_rows

__all__ = ["AVERAGE", "PublishedPoint", "published_average", "published_points"]

AVERAGE = "average"
"""What stands for a sequence where rates and scores are means over a data set."""


@dataclass(frozen=True)
class PublishedPoint:
    """One point that others published; a score they did not give is NaN.

    Args:
        data_set: what the sequence belongs to.
        sequence: its name, or `AVERAGE`.
        codec: name of the codec.
        variant: configuration, or which of several figures.
        setting: size or quantisation parameter; empty where it is not known.
        bpp: bits for each pixel of the source.
        psnr_rgb: in dB.
        psnr_yuv611: in dB.
        psnr_y: in dB.
        ms_ssim_rgb: 0 to 1.
        source: where it was published.
    """

    data_set: str
    sequence: str
    codec: str
    variant: str
    setting: str
    bpp: float
    psnr_rgb: float
    psnr_yuv611: float
    psnr_y: float
    ms_ssim_rgb: float
    source: str


def published_points(data_set: str, sequence: str) -> tuple[PublishedPoint, ...]:
    """What was published of a sequence: by codec and variant, along each curve from low to high rate."""
    return tuple(
        PublishedPoint(
            data_set=row["data_set"],
            sequence=row["sequence"],
            codec=row["codec"],
            variant=row["variant"],
            setting=row["setting"],
            bpp=float(row["bpp"]),
            psnr_rgb=_score(row["psnr_rgb"]),
            psnr_yuv611=_score(row["psnr_yuv611"]),
            psnr_y=_score(row["psnr_y"]),
            ms_ssim_rgb=_score(row["ms_ssim_rgb"]),
            source=row["source"],
        )
        for row in read_rows("points.csv")
        if (row["data_set"], row["sequence"]) == (data_set, sequence)
    )


def published_average(data_set: str) -> tuple[PublishedPoint, ...]:
    """What was published of the averages over a data set."""
    return published_points(data_set, AVERAGE)


def _score(text: str) -> float:
    return float(text) if text else math.nan
