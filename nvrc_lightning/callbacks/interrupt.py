"""Ctrl-C or SIGTERM stops a run between two steps, with a checkpoint to go on from."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Final

import lightning
from lightning.pytorch.callbacks import Callback

from nvrc_lightning.termination import Terminated, terminate

__all__ = ["Interruption"]

_USUAL: Final = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: terminate}
"""What has to become of a signal otherwise for it to be listened to."""


class Interruption(Callback):
    """Lets the step in hand end when Ctrl-C is pressed, saves `checkpoints/last.ckpt`, then stops the run.

    SIGTERM does the same where the program has made it an exception. A second signal stops at once. Where several
    processes train together there is no common step to stop at, so the first one stops at once too.

    Attributes:
        cause: what ended the run if it was one of these; Lightning turns it into another exception.
        checkpoint: what to go on from, if there is anything.
    """

    def __init__(self) -> None:
        self.cause: type[KeyboardInterrupt] | None = None
        self.checkpoint: Path | None = None
        self._asked: type[KeyboardInterrupt] | None = None
        self._listening: list[signal.Signals] = []
        self._done = 0
        self._folder = Path()

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Ask for the run's folder on every rank, as Lightning demands, and for handlers before Lightning sets its."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._listening = [number for number, usual in _USUAL.items() if signal.getsignal(number) is usual]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen."""
        if trainer.world_size > 1:
            self._listening = []
        for number in self._listening:
            signal.signal(number, self._ask)

    def on_train_batch_start(self, trainer: lightning.Trainer, *_: Any, **__: Any) -> None:
        """Note the steps taken so far: accumulated gradients are in no checkpoint, and a step must end with its own."""
        self._done = trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Stop here if asked to."""
        if trainer.global_step > self._done:
            self._stop_if_asked(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Listen no more, and stop here if asked to since the last step."""
        self._release()
        self._stop_if_asked(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Remember what it was that ended the run."""
        self._release()
        if isinstance(exception, KeyboardInterrupt):
            self.cause = type(exception)
            self.checkpoint = self._last if self._last.is_file() else None

    @property
    def _last(self) -> Path:
        """Where the run's newest checkpoint lies, by the name that the recipes give it."""
        return self._folder / "checkpoints" / "last.ckpt"

    def _stop_if_asked(self, trainer: lightning.Trainer) -> None:
        """Save where the run is and end it, if a signal has come."""
        if self._asked:
            trainer.save_checkpoint(self._last)
            raise self._asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self._release()
        self._asked = Terminated if number == signal.SIGTERM else KeyboardInterrupt

    def _release(self) -> None:
        """Give the signals their usual meaning back."""
        for number in self._listening:
            if signal.getsignal(number) == self._ask:
                signal.signal(number, _USUAL[number])
