"""Which parameters learn at which rate, and how."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from nvrc_components.compressed_module import CompressedModule
from nvrc_components.errors import InputError
from nvrc_lightning.modules.muon import MuonAdam, is_matrix
from nvrc_lightning.modules.options import LearningRates

__all__ = ["adopt_rates", "build_optimizer", "same_shapes"]


def build_optimizer(compressed: CompressedModule, rates: LearningRates, muon: bool, fused: bool) -> Optimizer:
    """Return an optimiser of grids, network and codec, each at its own rate, kept as `peak_lr` for schedules.

    Args:
        compressed: the module whose parameters and codec learn.
        rates: peak learning rates.
        muon: take Muon's steps on the network's matrices.
        fused: whether Adam's steps are those of one kernel.
    """
    theta = dict(compressed.module.named_parameters())
    grids = [parameter for name, parameter in theta.items() if name.endswith("grid")]
    network = [parameter for name, parameter in theta.items() if not name.endswith("grid")]
    matrices = [parameter for parameter in network if muon and is_matrix(parameter)]
    filters = [parameter for parameter in network if parameter.dim() > 1 and not (muon and is_matrix(parameter))]
    vectors = [parameter for parameter in network if parameter.dim() <= 1]
    codec = [parameter for parameter in compressed.codecs.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": grids, "peak_lr": rates.grids, "peak_decay": 0.0},
        {"params": matrices, "peak_lr": rates.network, "peak_decay": rates.weight_decay, "muon": True},
        {"params": filters, "peak_lr": rates.network, "peak_decay": rates.weight_decay},
        {"params": vectors, "peak_lr": rates.network, "peak_decay": 0.0},
        {"params": codec, "peak_lr": rates.codec, "peak_decay": 0.0},
    ]
    groups = [group | {"lr": group["peak_lr"], "weight_decay": group["peak_decay"]} for group in groups]
    return MuonAdam([group for group in groups if group["params"]], fused=fused)


def adopt_rates(checkpoint: dict[str, Any], optimizer: Optimizer) -> None:
    """Put the learning rates of an optimiser into the state that a checkpoint has of an earlier one.

    Raises:
        InputError: they do not share the parameters out alike.
    """
    fresh = optimizer.param_groups
    for state in checkpoint.get("optimizer_states", ()):
        if _kinds(state["param_groups"]) != _kinds(fresh):
            raise InputError(
                "the checkpoint was trained by another optimiser; go on with the config.yaml of its run, or with the "
                "other --model.muon"
            )
        for saved, group in zip(state["param_groups"], fresh, strict=True):
            saved |= {name: group[name] for name in ("peak_lr", "peak_decay")}


def same_shapes(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    """Return whether two states have the same tensors, whatever their values."""
    return {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}


def _kinds(groups: list[dict[str, Any]]) -> list[tuple[int, bool]]:
    """Return for each group how many parameters it has, and whether Muon steps them."""
    return [(len(group["params"]), bool(group.get("muon"))) for group in groups]
