"""Which callbacks of a kind a run has."""

from typing import TypeVar

import lightning
from lightning.pytorch.callbacks import Callback

__all__ = ["callbacks_of"]

Kind = TypeVar("Kind", bound=Callback)


def callbacks_of(trainer: lightning.Trainer, kind: type[Kind]) -> list[Kind]:
    """Return the run's callbacks of a class, in their order."""
    return [callback for callback in trainer.callbacks if isinstance(callback, kind)]  # type: ignore[attr-defined]
