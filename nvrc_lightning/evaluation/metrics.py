"""Scores of decoded integer frames against the source, frame by frame."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes, planes_to_rgb, rgb_to_planes
from nvrc_components.video_format import Chroma
from nvrc_lightning.data.video import Video

__all__ = ["Decoded", "ScoreMeter", "Scores", "score"]

Decoded = Tensor | Planes
"""Consecutive decoded frames: RGB code values (T, 3, H, W), or three planes (T, h, w) of the source's format;
integers at the source's bit depth either way."""

PSNR_CAP = 100.0
"""What an identical frame counts in a mean of PSNR, in dB; its own PSNR is infinite."""

MS_SSIM_SIDE = 176
"""Shortest side in pixels for MS-SSIM: halved four times it is still as long as the 11x11 window."""

_TOO_SMALL = "frame too small for five scales"
_NO_YUV = "source is RGB"
_MS_SSIM = ("ms_ssim_rgb", "ms_ssim_y")


@dataclass(frozen=True)
class Scores:
    """Quality of a decoded video, in the source's resolution, bit depth and chroma format.

    A mean of PSNR is the mean over frames of each frame's PSNR, where an identical frame counts 100 dB. A
    score that is not defined for the source is NaN, and ``undefined`` says why.

    Args:
        frames: how many frames were compared.
        psnr_rgb: mean over frames of 10 log10(peak^2 / MSE over R, G and B), in dB.
        psnr_yuv611: mean over frames of (6 PSNR_Y + PSNR_U + PSNR_V) / 8, in dB.
        psnr_y: mean over frames of the PSNR of luma, in dB.
        psnr_u: the same of the second plane, at its own resolution.
        psnr_v: the same of the third plane, at its own resolution.
        ms_ssim_rgb: mean over frames of MS-SSIM of R, G and B in its standard form (11x11 Gaussian window,
            five scales), 0 to 1.
        psnr_rgb_per_frame: PSNR-RGB of each frame in dB, infinite where a frame is identical.
        undefined: reason for each score that is NaN, by name.
        ms_ssim_y: mean over frames of MS-SSIM of luma, 0 to 1.
        vmaf: VMAF of the `vmaf` program and its default model, pooled by the mean, 0 to 100; NaN where it was not
            measured.
    """

    frames: int
    psnr_rgb: float
    psnr_yuv611: float
    psnr_y: float
    psnr_u: float
    psnr_v: float
    ms_ssim_rgb: float
    psnr_rgb_per_frame: tuple[float, ...]
    undefined: Mapping[str, str] = field(default_factory=dict)
    ms_ssim_y: float = math.nan
    vmaf: float = math.nan


class ScoreMeter:
    """Takes decoded frames in order as they come, and keeps nothing of them but a few sums.

    Args:
        source: the video that was coded.
        ms_ssim: whether to measure MS-SSIM, which takes nearly all of the time.
    """

    def __init__(self, source: Video, ms_ssim: bool = True) -> None:
        self._source = source
        fmt = source.format
        self._yuv = fmt.chroma != Chroma.RGB
        self._undefined: dict[str, str] = {}
        if not ms_ssim:
            self._undefined |= dict.fromkeys(_MS_SSIM, "not measured")
        elif min(fmt.height, fmt.width) < MS_SSIM_SIDE:
            self._undefined |= dict.fromkeys(_MS_SSIM, _TOO_SMALL)
        if not self._yuv:
            self._undefined |= dict.fromkeys(("psnr_yuv611", "psnr_y", "psnr_u", "psnr_v", "ms_ssim_y"), _NO_YUV)
        self._sums = dict.fromkeys(("psnr_rgb", "psnr_y", "psnr_u", "psnr_v", *_MS_SSIM), 0.0)
        self._per_frame: list[float] = []

    def update(self, decoded: Decoded) -> None:
        """Compare the next frames with the source's.

        Raises:
            InputError: there are more frames than the source has, or of another size.
        """
        for frame in _single_frames(decoded):
            self._compare(frame)

    def compute(self) -> Scores:
        """The scores of all frames.

        Raises:
            InputError: fewer frames came than the source has.
        """
        count, expected = len(self._per_frame), self._source.format.frames
        if count != expected:
            raise InputError(f"the decoded video has {count} frames, the source {expected}; compare the same frames")
        means = {name: total / count for name, total in self._sums.items()}
        means["psnr_yuv611"] = (6 * means["psnr_y"] + means["psnr_u"] + means["psnr_v"]) / 8
        means |= dict.fromkeys(self._undefined, math.nan)
        return Scores(
            frames=count,
            psnr_rgb_per_frame=tuple(self._per_frame),
            undefined=dict(self._undefined),
            **means,
        )

    def _compare(self, decoded: Decoded) -> None:
        """Add one frame's scores to the sums."""
        fmt, index = self._source.format, len(self._per_frame)
        if index >= fmt.frames:
            raise InputError(f"the decoded video has more than the source's {fmt.frames} frames")
        device = decoded.device if isinstance(decoded, Tensor) else decoded[0].device
        original = _planes(self._source.planes, lambda plane: plane[index : index + 1].to(device))
        planes = rgb_to_planes(decoded, fmt) if isinstance(decoded, Tensor) else decoded
        rgb = decoded if isinstance(decoded, Tensor) else planes_to_rgb(decoded, fmt)
        original_rgb = planes_to_rgb(original, fmt)
        if rgb.shape != original_rgb.shape:
            size = f"{rgb.shape[-1]}x{rgb.shape[-2]}"
            raise InputError(f"the decoded frames are {size}, the source's {fmt.width}x{fmt.height}")
        self._per_frame.append(_psnr(rgb, original_rgb, fmt.peak))
        self._sums["psnr_rgb"] += min(self._per_frame[-1], PSNR_CAP)
        if self._yuv:
            for name, ours, theirs in zip(("psnr_y", "psnr_u", "psnr_v"), planes, original, strict=True):
                self._sums[name] += min(_psnr(ours, theirs, fmt.peak), PSNR_CAP)
        if "ms_ssim_rgb" not in self._undefined:
            self._sums["ms_ssim_rgb"] += _ms_ssim(rgb, original_rgb, fmt.peak)
        if "ms_ssim_y" not in self._undefined:
            self._sums["ms_ssim_y"] += _ms_ssim(planes[0][:, None], original[0][:, None], fmt.peak)


def score(decoded: Iterable[Decoded], source: Video, ms_ssim: bool = True) -> Scores:
    """Compare a decoded video with its source; memory does not grow with the number of frames.

    RGB frames are brought into the source's planes, and planes into RGB, by ``functional.color``, so that
    every decoder is measured by the same conversion.

    Args:
        decoded: all frames in order, in chunks of any length.
        source: the video that was coded.
        ms_ssim: whether to measure MS-SSIM, which takes nearly all of the time.

    Raises:
        InputError: number or size of the frames differ from the source's.
    """
    meter = ScoreMeter(source, ms_ssim)
    for chunk in decoded:
        meter.update(chunk)
    return meter.compute()


def _planes(planes: Planes, change: Callable[[Tensor], Tensor]) -> Planes:
    """The same change to each plane."""
    first, second, third = planes
    return change(first), change(second), change(third)


def _single_frames(decoded: Decoded) -> Iterator[Decoded]:
    """One frame at a time, so that conversions to float stay small whatever the chunk."""
    if isinstance(decoded, Tensor):
        yield from torch.split(decoded, 1)
        return
    yield from zip(*(torch.split(plane, 1) for plane in decoded), strict=True)


def _psnr(decoded: Tensor, source: Tensor, peak: int) -> float:
    """PSNR in dB over all values of one frame or plane; infinite where they are identical."""
    mse = (decoded.double() - source.double()).square().mean().item()
    return 10 * math.log10(peak**2 / mse) if mse else math.inf


def _ms_ssim(decoded: Tensor, source: Tensor, peak: int) -> float:
    """MS-SSIM of one frame by torchmetrics, 0 to 1.

    Shape:
        decoded, source: (1, C, H, W) code values.
    """
    # Imported where it is used: it costs a second, and most commands never measure.
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    pair = decoded.float() / peak, source.float() / peak
    return float(multiscale_structural_similarity_index_measure(*pair, data_range=1.0))
