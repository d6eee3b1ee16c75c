"""Ctrl-C stops a run between two steps, with a checkpoint to go on from."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

__all__ = ["Interruption"]


class Interruption(Callback):
    """Lets the step in hand end when Ctrl-C is pressed, saves `checkpoints/last.ckpt`, then stops the run.

    A second Ctrl-C stops at once. Where several processes train together there is no common step to stop at, so
    the first one stops at once too.
    """

    def __init__(self) -> None:
        self.happened = False
        self.checkpoint: Path | None = None
        self._asked = False
        self._done = 0
        self._folder = Path()

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Ask for the run's folder on every rank, as Lightning demands."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen for Ctrl-C."""
        if trainer.world_size == 1 and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._ask)

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Note the steps taken so far: accumulated gradients are in no checkpoint, and a step must end with its own."""
        self._done = trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Stop here if asked to."""
        if self._asked and trainer.global_step > self._done:
            checkpoint = self._folder / "checkpoints" / "last.ckpt"
            trainer.save_checkpoint(checkpoint)
            self.checkpoint = checkpoint
            raise KeyboardInterrupt

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen no more."""
        self._release()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Remember that it was Ctrl-C that ended the run; Lightning turns that into another exception."""
        self.happened = isinstance(exception, KeyboardInterrupt)
        self._release()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self._release()
        self._asked = True

    def _release(self) -> None:
        """Give Ctrl-C its usual meaning back."""
        if signal.getsignal(signal.SIGINT) == self._ask:
            signal.signal(signal.SIGINT, signal.default_int_handler)
