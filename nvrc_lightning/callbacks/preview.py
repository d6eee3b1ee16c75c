"""A picture of how training is doing: source, decoded and difference side by side."""

from pathlib import Path
from typing import Protocol, cast

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor
from torch.nn import functional as F

from nvrc_components.atomic import atomic_path
from nvrc_lightning.data import images
from nvrc_lightning.data.video import Video

__all__ = ["Preview", "comparison", "write_png"]

MARGIN = 4
"""White pixels between pictures and around them."""


class _Renders(Protocol):
    """What a preview asks of the LightningModule: RGB frames in [0, 1], (B, 3, H, W), by index (B,)."""

    def render_rgb(self, frames: Tensor) -> Tensor: ...


class _HoldsVideo(Protocol):
    """What a preview asks of the datamodule."""

    video: Video


class Preview(Callback):
    """Writes ``preview.png`` into the run's folder now and then, and logs it to TensorBoard if that is the logger.

    Each row is a frame: source, decoded, and their difference, amplified around mid-grey. The file is replaced
    whole, so an image viewer can watch it.

    Args:
        every_n_epochs: epochs between pictures; the last epoch always gives one.
        frames: how many frames, evenly spaced over the video.
        gain: amplification of the difference.

    Raises:
        ValueError: ``every_n_epochs`` or ``frames`` is below 1.
    """

    def __init__(self, every_n_epochs: int = 10, frames: int = 3, gain: float = 4.0) -> None:
        if every_n_epochs < 1 or frames < 1:
            raise ValueError("every_n_epochs and frames must be at least 1")
        self.every_n_epochs = every_n_epochs
        self.frames = frames
        self.gain = gain
        self._folder = Path()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Ask for the run's folder on every rank, as Lightning demands."""
        self._folder = Path(trainer.log_dir or trainer.default_root_dir)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the picture if its turn has come."""
        done = trainer.current_epoch + 1
        if trainer.is_global_zero and (done % self.every_n_epochs == 0 or done == trainer.max_epochs):
            self._write(trainer, pl_module)

    @torch.no_grad()
    def _write(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Render, compare, save and log."""
        video = cast(_HoldsVideo, trainer.datamodule).video  # type: ignore[attr-defined]
        count = video.format.frames
        shown = min(self.frames, count)
        indices = torch.tensor([(2 * i + 1) * count // (2 * shown) for i in range(shown)])
        source = video.rgb()[indices.to(video.planes[0].device)].float() / video.format.peak
        decoded = cast(_Renders, pl_module).render_rgb(indices.to(pl_module.device))
        picture = comparison(source.cpu(), decoded.float().cpu(), self.gain)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_png(picture, self._folder / "preview.png", force=True)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("preview", picture, trainer.global_step)


def comparison(source: Tensor, decoded: Tensor, gain: float = 4.0) -> Tensor:
    """One picture with a row for each frame: source, decoded, and ``gain`` times decoded - source around mid-grey.

    Shape:
        source, decoded: (B, 3, H, W) in [0, 1]; values beyond are clipped.
        Output: (3, B * (H + 4) + 4, 3 * (W + 4) + 4), uint8.
    """
    difference = 0.5 + gain * (decoded - source)
    columns = torch.stack([source, decoded, difference]).clamp(0, 1)
    framed = F.pad(columns, (MARGIN, 0, MARGIN, 0), value=1.0)
    _, batch, channels, height, width = framed.shape
    grid = framed.permute(2, 1, 3, 0, 4).reshape(channels, batch * height, 3 * width)
    return (F.pad(grid, (0, MARGIN, 0, MARGIN), value=1.0) * 255).round().to(torch.uint8)


def write_png(picture: Tensor, path: str | Path, force: bool = False) -> None:
    """Save an RGB picture, whole or not at all.

    Shape:
        picture: (3, H, W), uint8.

    Raises:
        InputError: the file exists and ``force`` is not set, or cannot be written.
    """
    with atomic_path(path, force=force) as temporary:
        images.write_png(temporary, picture.permute(1, 2, 0).numpy(), bit_depth=8)
