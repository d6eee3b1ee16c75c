"""Options of training that belong together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LearningRates:
    """Peak learning rates of Adam, by what a parameter is; a stage scales all of them.

    Args:
        grids: feature grids and local grids, in the units of the features they store.
        network: all other parameters of the representation.
        codec: phi: log2-steps, log2-scales, means, context networks.
        weight_decay: L2 on the network's parameters of two or more dimensions.
    """

    grids: float = 5e-2
    network: float = 1e-2
    codec: float = 5e-2
    weight_decay: float = 0.0
