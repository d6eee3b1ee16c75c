"""One line that tells how training goes: stage, epoch, loss, rate, quality, time left."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.trainer.states import TrainerFn
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.callbacks.schedule import Planner, steps_per_epoch
from nvrc_lightning.evaluation.table import duration

__all__ = ["Progress", "announce", "status_line"]


def announce(trainer: Trainer, text: str) -> None:
    """Tell what is done now, where the run shows its progress."""
    for progress in callbacks_of(trainer, Progress):
        progress.announce(text)


class Progress(ProgressBar):
    """A bar on a terminal, plain lines anywhere else.

    Shows the module's ``stage_name`` and what it logs as ``loss``, ``bpp`` and ``psnr``, whichever there are.
    Metrics are read no more often than they are shown, because reading one waits for the device.

    Args:
        refresh_seconds: time between updates on a terminal.
        plain_seconds: time between lines where the output is a file or a pipe.
    """

    def __init__(self, refresh_seconds: float = 0.5, plain_seconds: float = 30.0) -> None:
        super().__init__()
        self.refresh_seconds = refresh_seconds
        self.plain_seconds = plain_seconds
        self._enabled = True
        self._bar: RichProgress | None = None
        self._started = self._shown = 0.0
        self._first_epoch = 0
        self._line = ""
        self._resumed: tuple[int, int] | None = None

    def disable(self) -> None:
        """Show nothing from now on."""
        self._enabled = False

    def enable(self) -> None:
        """Show again."""
        self._enabled = True

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print without tearing the bar."""
        if self._bar:
            self._bar.console.print(*args, **kwargs)
        else:
            print(*args, **kwargs)

    def announce(self, text: str) -> None:
        """Show a line of its own, at once."""
        if self._enabled:
            print(text, flush=True)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Note how many steps and epochs the run has behind it."""
        if trainer.state.fn == TrainerFn.FITTING:
            epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
            self._resumed = (checkpoint["global_step"], epochs)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say of a resumed run where it goes on and in which folder, or that it has ended."""
        folder = trainer.log_dir or trainer.default_root_dir  # asked for on every rank, as Lightning demands
        if self._resumed:
            self.announce(_resumption(trainer, *self._resumed, folder))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and the bar where it can be drawn."""
        self._started = self._shown = time.monotonic()
        self._first_epoch = trainer.current_epoch
        console = Console()
        if self._enabled and console.is_terminal:
            self._bar = RichProgress(
                BarColumn(bar_width=8), TextColumn("{task.description}"), console=console, transient=False
            )
            self._bar.add_task("starting", total=trainer.max_epochs if _bounded(trainer) else None)
            self._bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the state if it is time to."""
        interval = self.refresh_seconds if self._bar else self.plain_seconds
        if self._enabled and time.monotonic() - self._shown >= interval:
            self._show(trainer, pl_module, (batch_idx + 1) / max(1, trainer.num_training_batches))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the last state and let go of the terminal."""
        if self._enabled:
            # The counter already stands at the epoch after the last one.
            self._show(trainer, pl_module, 0.0, ended=True)
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let go of the terminal, so that the message is readable."""
        self._stop()

    def _show(self, trainer: Trainer, pl_module: LightningModule, fraction: float, ended: bool = False) -> None:
        """Put the line where it belongs, and no plain one twice."""
        self._shown = time.monotonic()
        epochs = trainer.current_epoch + fraction
        metrics = {**trainer.callback_metrics, **trainer.progress_bar_metrics}
        total = trainer.max_epochs if _bounded(trainer) else None
        stage = str(getattr(pl_module, "stage_name", ""))
        seconds = 0.0 if ended and total is not None else self._seconds_left(epochs, total)
        line = status_line(stage, metrics, epochs, total, seconds)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=epochs, total=total, description=line)
        elif line != self._line:
            print(line, file=sys.stdout, flush=True)
        self._line = line

    def _seconds_left(self, epochs: float, total: int | None) -> float | None:
        """Time to go if the rest runs as fast as this run has so far."""
        done = epochs - self._first_epoch
        if total is None or done <= 0:
            return None
        return (time.monotonic() - self._started) * (total - epochs) / done

    def _stop(self) -> None:
        """Take the bar down."""
        if self._bar:
            self._bar.stop()
            self._bar = None


def status_line(
    stage: str, metrics: Mapping[str, Any], epochs: float, total: int | None, seconds_left: float | None
) -> str:
    """The line itself, such as ``stage 1  epoch 12/300  loss 0.1234  0.0912 bpp  31.20 dB  3 min 20 s left``.

    Args:
        stage: name of the stage of training; may be empty.
        metrics: logged values; ``loss``, ``bpp`` and ``psnr`` are shown.
        epochs: epochs done, the current one in part.
        total: epochs to do, or None where there is no end.
        seconds_left: time to go, 0 at the end, or None where it is not known.
    """
    current = int(epochs) + 1 if total is None else min(int(epochs) + 1, total)
    parts = [stage] if stage else []
    parts.append(f"epoch {current}" if total is None else f"epoch {current}/{total}")
    for name, text in (("loss", "loss {:.4f}"), ("bpp", "{:.4f} bpp"), ("psnr", "{:.2f} dB")):
        if name in metrics:
            parts.append(text.format(float(metrics[name])))
    if seconds_left is not None:
        parts.append(f"{duration(max(seconds_left, 1.0))} left" if seconds_left > 0 else "done")
    return "  ".join(parts)


def _resumption(trainer: Trainer, step: int, epochs: int, folder: str) -> str:
    """Where a run goes on that has these steps and whole epochs behind it."""
    planned = [planner.plan.end for planner in callbacks_of(trainer, Planner)]
    total = planned[0] if planned else _steps(trainer)
    if step < total:
        return f"going on with step {step + 1:,} of {total:,}, in epoch {epochs + 1:,}; this run's folder: {folder}"
    more = "" if planned or trainer.max_steps > 0 else "; give more with --trainer.max_epochs"
    done = f"{epochs:,} of {epochs:,} epochs are done"
    return f"nothing is left to train: {done}{more}; the file is written again, into {folder}"


def _steps(trainer: Trainer) -> int:
    """Steps of the whole run."""
    ends = [trainer.max_steps] if trainer.max_steps > 0 else []
    if _bounded(trainer):
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        ends.append(steps_per_epoch(trainer, datamodule.steps_per_epoch) * (trainer.max_epochs or 0))
    return min(ends)


def _bounded(trainer: Trainer) -> bool:
    """Whether the run ends after a known number of epochs."""
    return trainer.max_epochs is not None and trainer.max_epochs > 0
