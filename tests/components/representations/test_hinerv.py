"""Both versions of HiNeRV as a whole: shapes, the stems' definition, patches, windows, gradients, a file."""

from fractions import Fraction
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from nvrc_components import load, save
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, SoftRoundKumaraswamy, TensorQuantizer
from nvrc_components.representations.hinerv import HiNerv, HiNervConfig, hinerv_config
from nvrc_components.representations.hinerv_presets import NVRC, ORIGINAL
from nvrc_components.representations.patches import Region
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

WIDTHS = (16, 12, 8, 6)
BOTH = pytest.mark.parametrize("version", [ORIGINAL, NVRC])


def network(version=NVRC, frames=7, height=101, width=77, **changes):
    """A small network whose every parameter matters."""
    torch.manual_seed(0)
    strides = {ORIGINAL: (5, 3, 2, 2), NVRC: (3, 2, 2, 2)}[version]
    options = {"grid_slices": 4, "grid_levels": 3, "depths": (2, 1, 2, 1), "expansion": (4, 4, 4, 1)} | changes
    config = HiNervConfig(frames, height, width, widths=WIDTHS, strides=strides, version=version, **options)
    model = HiNerv(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def crops(full, region):
    """The reference for a patch: the same pixels of the whole frame."""
    corners = zip(region.tops.tolist(), region.lefts.tolist(), strict=True)
    return torch.stack(
        [full[i, :, t : t + region.height, left : left + region.width] for i, (t, left) in enumerate(corners)]
    )


@BOTH
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 24, 24), (1, 1, 1), (2, 25, 47), (5, 7, 130)])
def test_any_size_gives_frames_of_that_size(version, frames, height, width):
    model = network(version, frames, height, width)
    out = model(torch.arange(frames).flip(0))
    assert out.shape == (frames, 3, height, width)
    assert 0 <= out.min() <= out.max() <= 1


@BOTH
def test_frames_come_in_the_order_asked_and_do_not_depend_on_their_company(version):
    model = network(version)
    together = model(torch.tensor([5, 0, 5, 3]))
    alone = torch.cat([model(torch.tensor([t])) for t in (5, 0, 5, 3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert torch.equal(model(torch.tensor([2])), model(torch.tensor([2])))


@pytest.mark.parametrize("slices", [1, 2, 5, 11, 13])
def test_nvrcs_stem_samples_each_convolved_grid_and_adds_up(slices):
    """Against the definition: convolve whole grids, then sample trilinearly with the border repeated, then add."""
    model = network(frames=11, height=130, width=90, grid_slices=slices)
    times, (height, width) = torch.arange(11), model.config.sizes()[0]
    at = [(2 * torch.arange(n) + 1) / n - 1 for n in (11, height, width)]
    places = torch.stack(torch.meshgrid(*at, indexing="ij"), -1).flip(-1)[None]
    expected = torch.zeros(1)
    for level in model.stem.levels:
        convolved = level.conv(level.features.grid.transpose(0, 1)[None])
        sampled = F.grid_sample(convolved, places, mode="bilinear", padding_mode="border", align_corners=False)
        expected = expected + sampled[0]
    torch.testing.assert_close(model.stem(times), expected.permute(1, 2, 3, 0), atol=2e-5, rtol=1e-4)


def test_the_originals_stem_convolves_the_blended_grids_together():
    model = network(ORIGINAL, frames=8, grid_slices=8, grid_levels=2)
    fine, coarse = (level.features.grid for level in model.stem.levels)
    assert coarse.shape == (4, 2 * fine.shape[1], *fine.shape[2:])
    blended = torch.cat([fine[3], 0.75 * coarse[1] + 0.25 * coarse[2]])
    expected = model.stem.conv(blended[None]).permute(0, 2, 3, 1)
    torch.testing.assert_close(model.stem(torch.tensor([3])), expected)


def test_grids_halve_rounding_down_and_double_their_channels():
    shapes = hinerv_config("s2", 600, 1080, 1920).base_grids()
    assert shapes == [(200, 2, 45, 80), (100, 4, 22, 40), (50, 8, 11, 20), (25, 16, 5, 10)]
    assert hinerv_config("s", 600, 1080, 1920, ORIGINAL).base_grids() == [(150, 2, 18, 32), (75, 4, 18, 32)]
    assert network(frames=1, height=1, width=1).config.base_grids()[-1] == (1, 8, 1, 1)
    shapes = [tuple(level.grid.shape) for level in network(frames=7).stages[1].local.levels]
    assert shapes == [(7, 2, 2, 2), (3, 2, 2, 4), (1, 2, 2, 8)]


@BOTH
@pytest.mark.parametrize("size", [(17, 13), (5, 40), (1, 1), (30, 30), (101, 77)])
@pytest.mark.parametrize("slices", [3, 7])
def test_a_patch_equals_the_crop_of_the_whole_frame_with_its_gradients(version, size, slices):
    bottom, right = 101 - size[0], 77 - size[1]
    tops = torch.tensor([0, 0, bottom, bottom, bottom // 2])
    lefts = torch.tensor([0, right, 0, right, right // 3])
    assert_equal_to_crops(network(version, grid_slices=slices), Region(*size, tops, lefts))


@BOTH
@pytest.mark.parametrize("size", [(60, 60), (24, 48), (16, 40)])
def test_so_do_patches_that_tile_the_frame(version, size):
    height, width = size
    tops, lefts = torch.tensor([0, 0, 1, 1, 2]) * height, torch.tensor([0, 2, 1, 2, 0]) * width
    assert_equal_to_crops(network(version, height=3 * height, width=3 * width), Region(*size, tops, lefts))


def assert_equal_to_crops(model, region):
    """Pixels and gradients of five patches, each of its own frame."""
    frames = torch.tensor([3, 0, 6, 6, 1])
    seed = torch.randn(5, 3, region.height, region.width)
    results = []
    for out in (model(frames, region), crops(model(frames), region)):
        grads = torch.autograd.grad((out * seed).sum(), list(model.parameters()))
        results.append((out.detach(), grads))
    torch.testing.assert_close(results[0][0], results[1][0], atol=2e-5, rtol=0)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-3 * float(b.abs().max()) + 1e-6, rtol=1e-3)


@BOTH
@pytest.mark.parametrize("frames", [[0], [6], [3, 4], [6, 0], [5, 0, 5, 2]])
def test_slices_named_by_windows_are_enough_and_others_have_no_influence(version, frames):
    model, asked = network(version), torch.tensor(frames)
    windows = model.windows(asked)
    assert windows == model.windows(frames)
    parameters = dict(model.named_parameters())
    assert set(windows) == {name for name in parameters if name.endswith("grid")}
    sliced = {n: p[list(windows[n])] if n in windows else p for n, p in parameters.items()}
    expected = model(asked)
    torch.testing.assert_close(functional_call(model, sliced, (asked,)), expected, atol=1e-6, rtol=0)
    spoiled = {}
    for name, parameter in parameters.items():
        spoiled[name] = parameter.detach().clone()
        if name in windows:
            spoiled[name][[row for row in range(len(parameter)) if row not in windows[name]]] = torch.nan
    torch.testing.assert_close(functional_call(model, spoiled, (asked,)), expected, atol=1e-6, rtol=0)


@BOTH
def test_slices_are_enough_for_patches_too(version):
    model, asked = network(version), torch.tensor([6, 1])
    windows = model.windows(asked)
    sliced = {n: p[list(windows[n])] if n in windows else p for n, p in model.named_parameters()}
    region = Region(20, 30, torch.tensor([70, 2]), torch.tensor([0, 40]))
    out = functional_call(model, sliced, (asked, region))
    torch.testing.assert_close(out, crops(model(asked), region), atol=2e-5, rtol=0)


def test_a_window_is_as_narrow_as_the_convolution_over_time_allows():
    windows = network(frames=300, grid_slices=100).windows([151])
    assert windows["stem.levels.0.features.grid"] == (49, 50, 51)  # the frame falls on slice 50
    assert windows["stem.levels.1.features.grid"] == (23, 24, 25, 26)
    assert windows["stages.0.local.levels.0.grid"] == (151,)
    windows = network(ORIGINAL, frames=300, grid_slices=100).windows([151])
    assert windows["stem.levels.0.features.grid"] == (50,)
    assert windows["stem.levels.1.features.grid"] == (24, 25)


@BOTH
def test_touched_slices_of_a_shuffled_batch_get_the_same_gradients_as_in_the_whole(version):
    torch.manual_seed(0)
    groups = [Group("all", "*", DualAxisQuantizer, GaussianPrior)]
    inner = network(version, frames=40, height=30, width=26, grid_slices=14)
    model = CompressedModule(inner, groups, SoftRoundKumaraswamy(), seed=3)
    frames, results = torch.tensor([38, 2, 20, 2]), []
    for windows in (None, model.module.windows(frames)):
        model.step.zero_()
        out = model(frames, windows=windows)
        parameters = [p for name, p in model.named_parameters() if "entropy_model" not in name and p.requires_grad]
        results.append((out.detach(), torch.autograd.grad(out.square().sum(), parameters)))
    torch.testing.assert_close(*(out for out, _ in results), atol=1e-6, rtol=0)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * float(a.abs().max()) + 1e-7, rtol=1e-3)


@BOTH
def test_gradients_reach_every_parameter(version):
    model = network(version)
    model(torch.arange(7)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@BOTH
def test_a_new_network_starts_grey_with_small_grids_and_no_biases(version):
    torch.manual_seed(0)
    model = HiNerv(hinerv_config("auto", 4, 60, 120, version))
    assert (model(torch.tensor([1])) - 0.5).abs().mean() < 0.25
    for name, parameter in model.named_parameters():
        assert name.endswith("bias") == (not parameter.any())
        if name.endswith("grid"):
            assert 0 < parameter.abs().max() <= 1e-3


@BOTH
def test_it_runs_in_bfloat16_autocast(version):
    model = network(version)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.tensor([1, 2]))
    out.float().sum().backward()
    assert (out.float() - model(torch.tensor([1, 2]))).abs().mean() < 0.05


@BOTH
def test_compilation_traces_it_whole_and_changes_nothing(version):
    model, frames = network(version, 3, 25, 30, grid_levels=2, depths=(1, 1, 1, 1)), torch.tensor([2, 0])
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(frames), model(frames), atol=1e-5, rtol=0)
    compiled(frames).square().sum().backward()
    traced = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    model(frames).square().sum().backward()
    for a, p in zip(traced, model.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, atol=1e-3 * float(p.grad.abs().max()) + 1e-6, rtol=1e-3)


@BOTH
def test_a_file_gives_the_frames_of_the_encoder(version, tmp_path):
    fmt = VideoFormat(50, 40, 9, Fraction(25), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)
    groups = [
        Group("grids", "*features.grid", partial(BlockQuantizer, log2_start=-3.0), OctreeContext),
        Group("biases", "*bias", TensorQuantizer, GaussianPrior),
        Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
    ]
    compressed = CompressedModule(network(version, 9, 40, 50), groups).eval()
    save(compressed, fmt, tmp_path / "film.nvrc")
    video = load(tmp_path / "film.nvrc")
    assert video.compressed.module.config == compressed.module.config
    coded = zip(video.compressed.names, video.compressed.tensor_codecs(), strict=True)
    assert [name for name, codec in coded if codec.group == "grids"] == [
        f"stem.levels.{level}.features.grid" for level in range(3)
    ]
    frames = torch.cat(list(video.frames()))
    expected = compressed(torch.arange(9)).detach().mul(255).round()
    assert len(frames.unique()) > 64
    assert (frames - expected).abs().max() <= 1  # one frame at a time and all at once differ in the last bits
