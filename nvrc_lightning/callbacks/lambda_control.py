"""A proportional-integral controller of lambda."""

import math
from typing import Final

__all__ = ["LambdaControl"]

_LARGEST_ERROR: Final = 3.0
_STRONGEST_ANSWER: Final = 1.5
"""Octaves of lambda at once for an octave of size; more would swing where sizes follow at once."""


class LambdaControl:
    """Moves log2 lambda against the error of log2 size.

    While lambda stays as it is, a size that is far off at first comes closer by itself; the proportional part
    answers that with the opposite of what the integral adds up meanwhile.

    Args:
        octaves: log2 of lambda at the start.
        gain: octaves of lambda for an octave of size that stays wrong through the whole training.
        reach: octaves that lambda may move away from its start.
    """

    def __init__(self, octaves: float, gain: float = 32.0, reach: float = 12.0) -> None:
        self.gain = gain
        self.lowest, self.highest = octaves - reach, octaves + reach
        self.octaves = octaves
        self.error = math.nan

    @property
    def lmbda(self) -> float:
        """Lambda as it is to be now."""
        return float(2.0**self.octaves)

    def update(self, size: float, target: float, elapsed: float, lag: float) -> None:
        """Take a new size into account.

        Args:
            size: of the file as it would be now.
            target: wanted size, in the same units.
            elapsed: progress of training since the last update, weighted with the pace at which sizes can follow.
            lag: progress of training in which a size comes most of the way to where it will settle.
        """
        if not math.isfinite(size):  # what has diverged says nothing about lambda
            return
        error = max(-_LARGEST_ERROR, min(_LARGEST_ERROR, math.log2(size / target)))
        change = 0.0 if math.isnan(self.error) else error - self.error
        moved = self.octaves - (self.gain * elapsed * error + min(self.gain * lag, _STRONGEST_ANSWER) * change)
        self.octaves = max(self.lowest, min(self.highest, moved))
        self.error = error

    def state_dict(self) -> dict[str, float]:
        """What a resumed run goes on from."""
        return {"octaves": self.octaves, "error": self.error}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on."""
        self.octaves, self.error = state["octaves"], state["error"]
