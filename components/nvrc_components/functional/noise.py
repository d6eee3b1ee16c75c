"""Noise for training: a counter-based random generator and Kumaraswamy noise made from it."""

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
# The "triple32" hash (Wellons, "Prospecting for Hash Functions", 2018). Two rounds are not enough: neighbouring
# indices then fail a test of independence on 300,000 values.
_MULTIPLIERS = (0xED5AD4BB, 0xAC4C1B51, 0x31848BAB)
_SHIFTS = (17, 11, 15, 14)
_GOLDEN = 0x9E3779B9


def _signed(word: int) -> int:
    word &= _WORD
    return word - (1 << 32) if word >> 31 else word


def _mix(word: int) -> int:
    for shift, multiplier in zip(_SHIFTS, _MULTIPLIERS, strict=False):
        word = (word ^ word >> shift) * multiplier & _WORD
    return word ^ word >> _SHIFTS[-1]


def _fold_shifted(word: Tensor, shift: int) -> Tensor:
    """Do `word ^= word >> shift` in place, with a logical shift: that of signed integers copies the sign."""
    return word.bitwise_xor_((word >> shift).bitwise_and_(_WORD >> shift))


def _round_keys(key: int) -> tuple[int, int]:
    low, high = key & _WORD, key >> 32 & _WORD
    first = _mix(_mix(low + _GOLDEN & _WORD) ^ high)
    return _signed(first), _signed(_mix(first + _GOLDEN & _WORD))


def _fold_to_words(index: Tensor) -> Tensor:
    """Return a fresh int32 tensor; indices below 2^31 map to themselves whatever their dtype."""
    if index.dtype == torch.int32:
        return index.clone()
    high = (index >> 32).to(torch.int32).mul_(_signed(_GOLDEN))
    return (index & _WORD).to(torch.int32).bitwise_xor_(high)


def counter_uniform(index: Tensor, key: int) -> Tensor:
    """Return uniform noise on (0, 1) that is a pure function of the element's index and the key.

    The same on every device, and independent of how a range of indices is split: the noise of a slice is the
    slice of the noise. Values are odd multiples of 2^-24, so never 0 or 1 and exact in float32.

    Args:
        index: Non-negative integers, int32 or int64 (equal indices give equal values in both).
        key: Names the stream of noise; its lowest 64 bits count.

    Shape:
        Any; the result is float32 of the same shape.

    Raises:
        ValueError: If `index` is neither int32 nor int64.

    Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
    """
    if index.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"index must be int32 or int64, got {index.dtype}")
    first, second = _round_keys(key)
    word = _fold_to_words(index).bitwise_xor_(first)
    _fold_shifted(word, _SHIFTS[0]).mul_(_signed(_MULTIPLIERS[0])).add_(second)
    _fold_shifted(word, _SHIFTS[1]).mul_(_signed(_MULTIPLIERS[1]))
    _fold_shifted(word, _SHIFTS[2]).mul_(_signed(_MULTIPLIERS[2]))
    _fold_shifted(word, _SHIFTS[3])
    return (word >> 8).bitwise_and_(0xFFFFFF).bitwise_or_(1).to(torch.float32).mul_(2.0**-24)


def kumaraswamy_noise(uniform: Tensor, a: float) -> Tensor:
    """Map uniform noise on (0, 1) to Kumaraswamy noise on (-1/2, 1/2) with its mode at 0.

    The distribution on (0, 1) has shapes `a` and `b = (2^a (a - 1) + 1) / a`, which puts its mode at 1/2;
    `a = 1` is uniform and larger values concentrate. Equal to the quantile function minus 1/2, so increasing
    in `uniform`.

    Shape:
        Any; the result has the same shape.

    Raises:
        ValueError: If `a` is below 1, where there is no mode inside.

    Source: Kim et al., "C3: High-performance and low-complexity neural compression", CVPR 2024.
    """
    if not a >= 1:
        raise ValueError(f"the shape of Kumaraswamy noise must be at least 1, got {a}")
    if a == 1:
        return uniform - 0.5
    b = (2**a * (a - 1) + 1) / a
    # expm1 and log1p keep the small values exact to rounding; (1 - u)^(1/b) would lose them.
    powered = torch.log1p(-uniform).mul_(1 / b).expm1_().neg_()
    return powered.pow_(1 / a).sub_(0.5)
