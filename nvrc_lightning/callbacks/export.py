"""From trained parameters to a file that was decoded again, and to the figures that stand beside it."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from nvrc_components.bitstream.video_file import parameter_count, save, to_code_values
from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_components.representations.complexity import complexity
from nvrc_components.representations.representation import Representation
from nvrc_lightning.callbacks.progress import announce
from nvrc_lightning.callbacks.rate_control import fit_for_export
from nvrc_lightning.data.datamodule import VideoDataModule
from nvrc_lightning.evaluation.metrics import ScoreMeter, Scores
from nvrc_lightning.evaluation.provenance import Machine, peak_memory_mib
from nvrc_lightning.evaluation.result import Cost, Rate, Result, Run
from nvrc_lightning.evaluation.table import print_table
from nvrc_lightning.evaluation.verification import verify_file
from nvrc_lightning.file_size import estimated_bytes, fixed_bytes
from nvrc_lightning.modules.video_codec import VideoCodec

__all__ = ["BitstreamExport", "reconstruction"]


class BitstreamExport(Callback):
    """Writes the `.nvrc` file at the end, decodes it, checks it, scores it and prints the result.

    `result.json` appears beside the file. Every figure is of the file as it lies on the disk and of the frames
    decoded from it.

    Args:
        path: the file; a relative one lies in the run's folder, where it may be replaced.
        every_n_epochs: epochs between files of the current state, each checked by decoding; 0 for none. Training
            goes on as if they had not been written. They are named `video.interim.nvrc`, for no wanted size holds
            yet; the final file takes their place.
        fit_iterations: steps of the entropy models on the final symbols; they change no frame.
        show: print the result.

    Raises:
        ValueError: `every_n_epochs` or `fit_iterations` is negative.
    """

    def __init__(
        self, path: str = "video.nvrc", every_n_epochs: int = 0, fit_iterations: int = 100, show: bool = True
    ) -> None:
        if every_n_epochs < 0 or fit_iterations < 0:
            raise ValueError("every_n_epochs and fit_iterations of BitstreamExport must not be negative")
        self.path = path
        self.every_n_epochs = every_n_epochs
        self.fit_iterations = fit_iterations
        self.show = show
        self.result: Result | None = None
        self.file = Path(path)
        self._seconds: dict[str, float] = {}
        self._mark = time.perf_counter()
        self._device = torch.device("cpu")

    @property
    def state_key(self) -> str:
        """Tells several exports of a run apart in a checkpoint."""
        return self._generate_state_key(path=self.path)

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Settle where the file goes, on every rank, as Lightning demands.

        Raises:
            InputError: a file outside the run's folder exists already.
        """
        folder = Path(trainer.log_dir or trainer.default_root_dir)
        self.file = folder / self.path
        if stage == "fit" and Path(self.path).is_absolute() and self.file.exists():
            raise InputError(f"{self.file}: already exists; choose another output")

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note the device, which the module has left when the file is written."""
        self._device = pl_module.device
        self._lap("setup")

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Count the step's time to its stage."""
        self._lap(getattr(pl_module, "stage_name", "") or "training")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the current state if its turn has come."""
        done = trainer.current_epoch + 1
        due = self.every_n_epochs and done % self.every_n_epochs == 0 and done != trainer.max_epochs
        if not (due and trainer.is_global_zero):
            return
        codec = cast(VideoCodec, pl_module)
        self._write(codec, self._interim)
        verify_file(self._interim, partial(reconstruction, codec), self._device)
        self._lap("interim files")

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write, decode, check, score, and tell."""
        if not trainer.is_global_zero:
            return
        codec = cast(VideoCodec, pl_module).to(self._device)
        codec.eval()
        self._mark = time.perf_counter()
        fit_for_export(trainer, codec, self.fit_iterations)
        estimate = estimated_bytes(codec.compressed)
        self._lap("entropy fit")
        announce(trainer, "coding the file, decoding and checking it")
        self._write(codec, self.file)
        self._lap("coding")
        datamodule = cast(VideoDataModule, trainer.datamodule)  # type: ignore[attr-defined]
        meter = ScoreMeter(datamodule.video)
        file, seconds, difference = verify_file(self.file, partial(reconstruction, codec), self._device, meter.update)
        scores = meter.compute()
        self._lap("verification")
        sections = {section.label: len(section.framed()) for section in file.sections}
        rate = Rate(self.file.stat().st_size, codec.format.pixels, estimate + fixed_bytes(file.sections), sections)
        self.result = self._collect(codec, Path(datamodule.path).name, rate, scores, seconds, difference)
        self.result.write_json(self.file.with_name("result.json"), force=True)
        self._interim.unlink(missing_ok=True)
        codec.cpu()
        if self.show:
            print_table(self.result)

    def state_dict(self) -> dict[str, Any]:
        """The time spent so far, for a run that is resumed."""
        return {"seconds": dict(self._seconds)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on."""
        self._seconds = dict(state_dict["seconds"])

    def _lap(self, phase: str) -> None:
        """Count the time since the last mark to a phase."""
        now = time.perf_counter()
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._mark
        self._mark = now

    @property
    def _interim(self) -> Path:
        """Where files of the current state lie."""
        return self.file.with_suffix(".interim.nvrc")

    def _write(self, codec: VideoCodec, file: Path) -> None:
        """Write a file of the parameters as they are now."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{file}: cannot be written ({error.strerror}); choose another folder") from error
        save(codec.compressed, codec.format, file, codec.colour, force=True)

    def _collect(
        self, codec: VideoCodec, video: str, rate: Rate, scores: Scores, seconds: float, difference: int
    ) -> Result:
        """All figures together."""
        module = codec.compressed.module
        seed = os.environ.get("PL_GLOBAL_SEED")  # where Lightning keeps it
        cost = Cost(
            encode_seconds=dict(self._seconds),
            decode_seconds=seconds,
            decode_fps=scores.frames / seconds,
            peak_memory_mib=peak_memory_mib(self._device),
            parameters=parameter_count(module),
            macs_per_pixel=complexity(module)[-1].macs_per_pixel if isinstance(module, Representation) else None,
        )
        run = Run(Machine.describe(self._device), seed=int(seed) if seed else None)
        return Result(video, f"{type(module).__name__} lambda {codec.lmbda:g}", rate, scores, cost, run, difference)


def reconstruction(codec: VideoCodec, index: int) -> Tensor | Planes:
    """A frame as the encoder sees it, in the code values that a decoder puts out."""
    picture = codec.render(torch.tensor([index])).cpu()
    return to_code_values(picture, codec.format, codec.colour)
