import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from nvrc_components.errors import InputError
from nvrc_components.functional.color import rgb_to_planes
from nvrc_components.video_format import Chroma, ColourRange
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.video import Video
from nvrc_lightning.evaluation.metrics import ScoreMeter, score

CLIP = Path(__file__).parents[3] / "nvrc_lightning/assets/bunny_192x128_32f.mkv"


@pytest.fixture(scope="module")
def video() -> Video:
    return read_video(CLIP).trim(0, 6)


@pytest.fixture(scope="module")
def noisy(video):
    noise = torch.randint(-5, 6, video.rgb().shape, generator=torch.Generator().manual_seed(0))
    return (video.rgb().int() + noise).clamp(0, 255).to(torch.uint8)


def _psnr(ours, theirs, peak: int = 255) -> float:
    mse = ((ours.numpy().astype(np.int64) - theirs.numpy().astype(np.int64)) ** 2).mean()
    return 10 * math.log10(peak * peak / mse)


def _as_rgb(video: Video) -> Video:
    red, green, blue = video.rgb().unbind(1)
    fmt = replace(video.format, chroma=Chroma.RGB, colour_range=ColourRange.FULL)
    return Video(fmt, (red, green, blue))


def test_psnr_is_the_mean_over_frames_of_each_frame(video, noisy):
    scores = score([noisy], video, ms_ssim=False)
    by_hand = [_psnr(noisy[i], video.rgb()[i]) for i in range(6)]
    assert scores.psnr_rgb_per_frame == pytest.approx(by_hand)
    assert scores.psnr_rgb == pytest.approx(np.mean(by_hand))
    planes = rgb_to_planes(noisy, video.format)
    y, u, v = (
        np.mean([_psnr(ours[i], theirs[i]) for i in range(6)])
        for ours, theirs in zip(planes, video.planes, strict=True)
    )
    assert (scores.psnr_y, scores.psnr_u, scores.psnr_v) == pytest.approx((y, u, v))
    assert scores.psnr_yuv611 == pytest.approx((6 * y + u + v) / 8)


def test_chunks_do_not_change_the_scores(video, noisy):
    assert score(torch.split(noisy, 4), video) == score([noisy], video) == score(torch.split(noisy, 1), video)


def test_planes_are_compared_as_they_are(video):
    luma = video.planes[0].clone()
    luma[2, 5, 7] ^= 1
    scores = score([(luma, *video.planes[1:])], video, ms_ssim=False)
    assert scores.psnr_u == scores.psnr_v == 100
    expected = 10 * math.log10(255**2 * 128 * 192)
    assert scores.psnr_y == pytest.approx((5 * 100 + expected) / 6)


def test_identical_frames_are_infinite_and_count_a_hundred_decibels(video, noisy):
    mixed = noisy.clone()
    mixed[1] = video.rgb()[1]
    scores = score([mixed], video, ms_ssim=False)
    assert scores.psnr_rgb_per_frame[1] == math.inf
    rest = [value for value in scores.psnr_rgb_per_frame if value < math.inf]
    assert scores.psnr_rgb == pytest.approx((sum(rest) + 100) / 6)


def test_ms_ssim_is_undefined_below_five_scales_and_says_why(video, noisy):
    scores = score([noisy], video)
    assert math.isnan(scores.ms_ssim_rgb)
    assert scores.undefined == dict.fromkeys(("ms_ssim_rgb", "ms_ssim_y"), "frame too small for five scales")


def test_ms_ssim_is_that_of_torchmetrics(video):
    large = video.trim(0, 2).resize(264, 176)
    decoded = (large.rgb().int() + 3).clamp(0, 255).to(torch.uint8)
    decoded[:, :, 40:60] = 128
    expected = [
        multiscale_structural_similarity_index_measure(a[None] / 255, b[None] / 255, data_range=1.0).item()
        for a, b in zip(decoded, large.rgb(), strict=True)
    ]
    scores = score([decoded], large)
    assert scores.ms_ssim_rgb == pytest.approx(np.mean(expected), abs=1e-6)
    assert scores.ms_ssim_rgb < 0.999
    assert scores.undefined == {}
    luma = [
        multiscale_structural_similarity_index_measure(a[None, None] / 255, b[None, None] / 255, data_range=1.0).item()
        for a, b in zip(rgb_to_planes(decoded, large.format)[0], large.planes[0], strict=True)
    ]
    assert scores.ms_ssim_y == pytest.approx(np.mean(luma), abs=1e-6)


def test_one_pixel_less_is_undefined(video):
    small = video.trim(0, 1).resize(264, 174)
    assert "ms_ssim_rgb" in score([small.rgb()], small).undefined


def test_yuv_scores_of_an_rgb_source_are_undefined(video, noisy):
    scores = score([noisy], _as_rgb(video), ms_ssim=False)
    assert math.isnan(scores.psnr_yuv611)
    assert scores.undefined["psnr_yuv611"] == scores.undefined["ms_ssim_y"] == "source is RGB"
    assert scores.psnr_rgb == score([noisy], video, ms_ssim=False).psnr_rgb


def test_ten_bits_have_a_peak_of_1023(video, noisy):
    fmt = replace(video.format, bit_depth=10)
    first, second, third = (plane.to(torch.int16) * 4 for plane in video.planes)
    deep = Video(fmt, (first, second, third))
    decoded = (deep.rgb().int() + 8).clamp(0, 1023).to(torch.int16)
    scores = score([decoded], deep, ms_ssim=False)
    assert scores.psnr_rgb_per_frame[0] == pytest.approx(_psnr(decoded[0], deep.rgb()[0], 1023))


def test_missing_and_surplus_frames_are_refused(video, noisy):
    with pytest.raises(InputError, match="has 4 frames, the source 6"):
        score([noisy[:4]], video, ms_ssim=False)
    with pytest.raises(InputError, match="more than the source's 6 frames"):
        score([noisy, noisy], video, ms_ssim=False)


def test_frames_of_another_size_are_refused(video, noisy):
    with pytest.raises(InputError, match="decoded frames are 190x128, the source's 192x128"):
        score([noisy[..., :190]], video, ms_ssim=False)


def test_a_meter_keeps_no_frames(video, noisy):
    meter = ScoreMeter(video, ms_ssim=False)
    meter.update(noisy)
    held = [value for value in vars(meter).values() if isinstance(value, torch.Tensor)]
    assert held == []


def test_measuring_does_not_need_lightning():
    code = (
        "import sys, nvrc_lightning.evaluation.table, nvrc_lightning.evaluation.metrics\n"
        "assert not {'lightning', 'pytorch_lightning', 'torchmetrics'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
