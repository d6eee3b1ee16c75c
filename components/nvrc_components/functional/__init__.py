"""Pure functions on tensors, one idea a file."""

from nvrc_components.functional.blocks import block_counts, merge_blocks, split_blocks
from nvrc_components.functional.bounds import lower_bound, upper_bound
from nvrc_components.functional.gaussian import gaussian_bits
from nvrc_components.functional.noise import counter_uniform, kumaraswamy_noise
from nvrc_components.functional.rounding import (
    round_straight_through,
    soft_round,
    soft_round_conditional_mean,
    soft_round_inverse,
)

__all__ = [
    "block_counts",
    "counter_uniform",
    "gaussian_bits",
    "kumaraswamy_noise",
    "lower_bound",
    "merge_blocks",
    "round_straight_through",
    "soft_round",
    "soft_round_conditional_mean",
    "soft_round_inverse",
    "split_blocks",
    "upper_bound",
]
