"""How long it will take from the last step to the end: entropy fit, coding, decoding, checking and scoring."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lightning
import torch

from nvrc_components.bitstream.video_file import load, save
from nvrc_components.fitting import fit
from nvrc_lightning import stopwatch
from nvrc_lightning.callbacks.export import BitstreamExport, reconstruction
from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.callbacks.rate_control import RateControl
from nvrc_lightning.evaluation.metrics import ScoreMeter
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["Finish", "rehearse"]

_ITERATIONS: Final = 3


@dataclass(frozen=True)
class Finish:
    """What the exports of a run take.

    Args:
        iteration: seconds of a step of the entropy models.
        coding: seconds of making a file.
        checking: seconds of decoding a file, comparing and scoring its frames.
        coarsening: seconds in which the side information of fitted entropy models is made coarser.
    """

    iteration: float = 0.0
    coding: float = 0.0
    checking: float = 0.0
    coarsening: float = 0.0

    def seconds(self, trainer: lightning.Trainer) -> float:
        """Return the time they will take, with all candidates that a `RateControl` is still going to try."""
        controls = callbacks_of(trainer, RateControl)
        whole = 0.0
        for export in callbacks_of(trainer, BitstreamExport):
            candidates = controls[0].candidates_left(export.fit_iterations) if controls else []
            fits = candidates or [export.fit_iterations]
            whole += sum(fits) * self.iteration + len(fits) * self.coarsening
            whole += (len(candidates) + 1) * self.coding + self.checking
        return whole


def rehearse(trainer: lightning.Trainer, codec: VideoCodec) -> Finish:
    """Do a little of each part with the parameters as they are; training goes on as if nothing had been done."""
    trial = copy.deepcopy(codec.compressed).eval()
    items = trial.coded()
    iteration = _seconds(lambda: fit(items, _ITERATIONS)) / (_ITERATIONS + 1)
    coarsening = _seconds(trial.coarsen_entropy_models)
    with tempfile.TemporaryDirectory(prefix="nvrc-") as folder:
        path = Path(folder) / "rehearsal.nvrc"
        coding = _seconds(lambda: save(trial, codec.format, path, codec.colour))
        decoding = _verification(trainer, codec, path)
    return Finish(iteration, coding, decoding, coarsening)


def _verification(trainer: lightning.Trainer, codec: VideoCodec, path: Path) -> float:
    """Return the seconds in which a file is opened, and decoded, compared and scored whole; the last frame counts."""
    datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
    meter, count = ScoreMeter(datamodule.video), codec.format.frames
    with torch.random.fork_rng(devices=[]):  # a network is initialised before its parameters are read
        start = stopwatch.now()
        frames = load(path).frames(device=codec.device)
        opening = stopwatch.now() - start
    for index in range(min(2, count)):  # the first may compile and import
        start = stopwatch.now()
        meter.update(next(frames))
        reconstruction(codec, index)
        seconds = stopwatch.now() - start
    return opening + count * seconds


def _seconds(call: Callable[[], object]) -> float:
    start = stopwatch.now()
    call()
    return stopwatch.now() - start
