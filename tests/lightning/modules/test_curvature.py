"""The curvature that probes estimate is that of the pictures' Jacobian."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.plugins.precision import Precision
from torch.func import functional_call, jacrev

from nvrc_components.entropy_models import GaussianPrior
from nvrc_components.groups import Group
from nvrc_components.quantizers import QuantNoise, TensorQuantizer
from nvrc_lightning.data.datamodule import VideoDataModule
from nvrc_lightning.modules.curvature import gauss_newton_diagonal
from nvrc_lightning.modules.losses import RgbDistortion
from nvrc_lightning.modules.networks import NvrcLiteNetwork
from nvrc_lightning.modules.video_codec import VideoCodec

WHOLE = (torch.tensor([[0, 0, 0]]), torch.tensor([[1, 0, 0]]))


def codec_for(patch=(0, 0)):
    groups = [Group("all", "*", TensorQuantizer, GaussianPrior)]
    codec = VideoCodec(NvrcLiteNetwork(size="xxs"), groups, RgbDistortion())
    datamodule = VideoDataModule(frames="0:2", size=(32, 24), patch=patch)
    plugin = Precision()
    codec._trainer = SimpleNamespace(datamodule=datamodule, world_size=1, global_rank=0, precision_plugin=plugin)
    torch.manual_seed(0)
    codec.configure_model()
    codec.compressed.surrogate = QuantNoise(0.5)
    return codec


def exact(codec, name):
    """Diagonal of J^T J for a parameter, J the Jacobian of both frames, as their mean."""
    module = codec.compressed.module

    def pictures(value):
        return functional_call(module, {name: value}, (torch.tensor([0, 1]),))

    jacobian = jacrev(pictures)(module.get_parameter(name).detach())
    return jacobian.flatten(0, 3).square().sum(0) / 2


def test_probes_average_to_the_diagonal_of_the_gauss_newton_matrix():
    codec = codec_for()
    diagonal = gauss_newton_diagonal(codec, WHOLE * 150, 0)
    for name in ("head.weight", "head.bias"):
        truth = exact(codec, name)
        assert diagonal[name].shape == truth.shape
        assert (diagonal[name] / truth).log2().abs().mean() < 0.2
        assert diagonal[name].mean().item() == pytest.approx(truth.mean().item(), rel=0.15)


def test_patches_see_their_part_of_the_frame():
    codec = codec_for((12, 16))
    places = torch.cartesian_prod(torch.arange(2), torch.tensor([0, 12]), torch.tensor([0, 16]))
    parts = gauss_newton_diagonal(codec, [places] * 80, 0)["head.bias"]
    torch.testing.assert_close(parts, 2 * exact(codec_for(), "head.bias"), rtol=0.4, atol=0)


def test_nothing_of_the_module_changes_and_equal_seeds_agree():
    codec = codec_for()
    surrogate, before = codec.compressed.surrogate, {k: v.clone() for k, v in codec.state_dict().items()}
    first, second = (gauss_newton_diagonal(codec, WHOLE, 7) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], gauss_newton_diagonal(codec, WHOLE, 8)["head.weight"])
    assert all(torch.equal(value, before[name]) for name, value in codec.state_dict().items())
    assert codec.compressed.surrogate is surrogate
    assert all(parameter.grad is None for parameter in codec.parameters())


def test_all_slices_of_a_temporal_grid_have_their_mean():
    codec = codec_for()
    seen = gauss_newton_diagonal(codec, WHOLE * 80, 0)["stem.levels.0.features.grid"]
    truth = exact(codec, "stem.levels.0.features.grid")
    assert len(seen) == len(truth) == 2
    assert torch.equal(seen, seen[:1].expand_as(seen))
    assert seen.mean().item() == pytest.approx(truth.mean().item(), rel=0.3)


def test_the_surrogate_is_back_also_after_an_error():
    codec = codec_for()
    surrogate = codec.compressed.surrogate
    with pytest.raises(ValueError, match="not enough values"):
        gauss_newton_diagonal(codec, [torch.tensor([[0, 0]])[:, :0]], 0)
    assert codec.compressed.surrogate is surrogate
