"""What a report says above its figures: one sentence each on what to read from it."""

from nvrc_lightning.evaluation.bench.bd_rate import FEWEST_POINTS, LEAST_OVERLAP
from nvrc_lightning.evaluation.report.bd_matrix import METHOD

__all__ = [
    "BD",
    "BITS",
    "CHOICE",
    "FOOTER",
    "FRAMES",
    "GRIDS",
    "HOW",
    "HOW_IN_FULL",
    "RATES",
    "RUNS",
    "SETTINGS",
    "TIMES",
]

RATES = "Up and to the left is better: the same quality for fewer bits."
BD = (
    "How many percent fewer (−) or more (+) bits the codec of a row needs than that of a column for the same quality, "
    "averaged over the qualities that both reach."
)
TIMES = (
    "What a codec costs to run, from the cheapest to the dearest point of its curve; rows compare only as far as they "
    "were measured on the same machine, which stands further below."
)
BITS = "Each bar is one file, cut into its sections: the wider a part, the more of the file is spent on it."
GRIDS = (
    "Bright places are where the entropy coder spends its bits; each picture is one temporal slice of a grid (slices × "
    "channels × height × width), mean over its channels, at the frame in its middle."
)
FRAMES = (
    "Two pictures of one frame at nearly the same rate: what changes at the divider is what one codec keeps and the "
    "other loses."
)
CHOICE = (
    "The pictures are lossless WebP of what each decoder put out, at 8 bits; they are few, evenly spaced, so that this "
    "page stays light. Frames of"
)
SETTINGS = "What each coder was told; a setting with several values is one that moves along the curve."
RUNS = "With the same versions, commit and seed on the same machine the figures come out again, but for times."
HOW = "Every codec was decoded from its own file, and all were converted and scored by the same code."
HOW_IN_FULL = (
    "Rates are bits of the written file for each pixel of the source: of a .nvrc file all of its bytes, of a "
    "conventional codec the coded video without the container around it and without its settings as text. "
    "PSNR-RGB is the mean over frames of each frame's PSNR over R, G and B, where an identical frame counts 100 dB; "
    "PSNR-YUV 6:1:1 is (6 Y + U + V) / 8 of the planes' mean PSNR in the source's own format; MS-SSIM of RGB and of "
    "luma (Y) is its standard form with five scales; VMAF is the mean over frames by the default model of the program "
    "vmaf, where that is installed. "
    f"BD-rates are by {METHOD.capitalize()} interpolation of the log-rate over the quality (MS-SSIM in dB), and given "
    f"only where both curves have {FEWEST_POINTS} points and cover {100 * LEAST_OVERLAP:.0f} % of the shorter one's "
    "range of quality."
)
FOOTER = "Made by nvrc bench. This page holds all it shows and loads nothing."
