"""The whole network: shapes, patches, windows, gradients, precision."""

import pytest
import torch
from torch.func import functional_call

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import GaussianPrior
from nvrc_components.quantizers import DualAxisQuantizer, SoftRoundKumaraswamy
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig, nvrc_lite_config
from nvrc_components.representations.patches import Region

WIDTHS = (16, 12, 8, 6)


def network(frames=7, height=101, width=77, **changes):
    """A small network whose every parameter matters."""
    torch.manual_seed(0)
    model = NvrcLite(NvrcLiteConfig(frames, height, width, widths=WIDTHS, **changes))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def crops(full, region):
    """The reference for a patch: the same pixels of the whole frame."""
    corners = zip(region.tops.tolist(), region.lefts.tolist(), strict=True)
    return torch.stack(
        [full[i, :, t : t + region.height, left : left + region.width] for i, (t, left) in enumerate(corners)]
    )


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 24, 24), (1, 1, 1), (2, 25, 47), (5, 7, 130)])
def test_any_size_gives_frames_of_that_size(frames, height, width):
    model = network(frames, height, width)
    out = model(torch.arange(frames).flip(0))
    assert out.shape == (frames, 3, height, width)
    assert 0 <= out.min() <= out.max() <= 1


def test_frames_come_in_the_order_asked_and_do_not_depend_on_their_company():
    model = network()
    together = model(torch.tensor([5, 0, 5, 3]))
    alone = torch.cat([model(torch.tensor([t])) for t in (5, 0, 5, 3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    assert torch.equal(model(torch.tensor([2])), model(torch.tensor([2])))


@pytest.mark.parametrize("size", [(17, 13), (5, 40), (1, 1), (30, 30), (101, 77)])
@pytest.mark.parametrize("depths", [(1, 1, 1, 1), (2, 1, 3, 1)])
def test_a_patch_equals_the_crop_of_the_whole_frame_with_its_gradients(size, depths):
    model = network(depths=depths)
    bottom, right = 101 - size[0], 77 - size[1]
    tops = torch.tensor([0, 0, bottom, bottom, bottom // 2])
    lefts = torch.tensor([0, right, 0, right, right // 3])
    frames = torch.tensor([3, 0, 6, 6, 1])
    region = Region(*size, tops, lefts)
    seed = torch.randn(5, 3, *size)
    results = []
    for out in (model(frames, region), crops(model(frames), region)):
        grads = torch.autograd.grad((out * seed).sum(), list(model.parameters()))
        results.append((out.detach(), grads))
    torch.testing.assert_close(results[0][0], results[1][0], atol=2e-5, rtol=0)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-3 * float(b.abs().max()) + 1e-6, rtol=1e-3)


@pytest.mark.parametrize("frames", [[0], [6], [3, 4], [6, 0], [5, 0, 5, 2]])
def test_slices_named_by_windows_are_enough_and_others_have_no_influence(frames):
    model, asked = network(), torch.tensor(frames)
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


def test_slices_are_enough_for_patches_too():
    model, asked = network(), torch.tensor([6, 1])
    windows = model.windows(asked)
    sliced = {n: p[list(windows[n])] if n in windows else p for n, p in model.named_parameters()}
    region = Region(20, 30, torch.tensor([70, 2]), torch.tensor([0, 40]))
    out = functional_call(model, sliced, (asked, region))
    torch.testing.assert_close(out, crops(model(asked), region), atol=2e-5, rtol=0)


def test_a_window_is_as_narrow_as_the_frames_allow():
    windows = network(frames=8).windows([3])
    assert windows["stages.1.features.grid"] == (0, 1)
    assert windows["stem.levels.0.features.grid"] == (2, 3, 4)


def test_frames_far_apart_touch_few_slices_each():
    model, frames = network(frames=300, height=24, width=24), [290, 10, 150, 10]
    for name, rows in model.windows(frames).items():
        assert set(rows) == {row for frame in frames for row in model.windows([frame])[name]}
        assert len(rows) <= (4 if name.startswith("stem.") else 2) * 3


def test_touched_slices_of_a_shuffled_batch_get_the_same_gradients_as_in_the_whole():
    torch.manual_seed(0)
    groups = [Group("all", "*", DualAxisQuantizer, GaussianPrior)]
    model = CompressedModule(network(frames=40, height=30, width=26), groups, SoftRoundKumaraswamy(), seed=3)
    frames, results = torch.tensor([38, 2, 20, 2]), []
    for windows in (None, model.module.windows(frames)):
        model.step.zero_()
        out = model(frames, windows=windows)
        parameters = [p for name, p in model.named_parameters() if "entropy_model" not in name and p.requires_grad]
        results.append((out.detach(), torch.autograd.grad(out.square().sum(), parameters)))
    torch.testing.assert_close(*(out for out, _ in results), atol=1e-6, rtol=0)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * float(a.abs().max()) + 1e-7, rtol=1e-3)


def test_gradients_reach_every_parameter():
    model = network()
    model(torch.arange(7)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_new_network_starts_near_grey():
    torch.manual_seed(0)
    out = NvrcLite(nvrc_lite_config("xs", 4, 48, 72))(torch.tensor([1]))
    assert (out - 0.5).abs().mean() < 0.25


def test_it_runs_in_bfloat16_autocast():
    model = network()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.tensor([1, 2]))
    out.float().sum().backward()
    assert (out.float() - model(torch.tensor([1, 2]))).abs().mean() < 0.05


def test_compilation_traces_it_whole_and_changes_nothing():
    model, frames = network(3, 25, 30), torch.tensor([2, 0])
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(frames), model(frames), atol=1e-5, rtol=0)
    compiled(frames).square().sum().backward()
    traced = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    model(frames).square().sum().backward()
    for a, p in zip(traced, model.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, atol=1e-3 * float(p.grad.abs().max()) + 1e-6, rtol=1e-3)
