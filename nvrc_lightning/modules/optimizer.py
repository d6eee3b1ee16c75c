"""Which parameters learn at which rate, and how."""

from typing import Any

from torch.optim import Optimizer

from nvrc_components.compressed_module import CompressedModule
from nvrc_lightning.modules.muon import MuonAdam, is_matrix
from nvrc_lightning.modules.options import LearningRates

__all__ = ["build_optimizer"]


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
