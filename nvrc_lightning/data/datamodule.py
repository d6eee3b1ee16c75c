"""The video as Lightning sees it: one tensor in memory, patch indices as batches."""

from functools import cached_property

import lightning
from torch import Tensor
from torch.utils.data import DataLoader

from nvrc_lightning.data.options import NO_GEOMETRY, RawGeometry, Selection
from nvrc_lightning.data.packaged import read_named_video
from nvrc_lightning.data.patches import FrameSampler, PatchIndices, PatchLoader, PatchSampler
from nvrc_lightning.data.video import Video


class VideoDataModule(lightning.LightningDataModule):
    """Reads one video and hands out which patches to train on; the pixels stay in `video`.

    Training batches are (B, 3) int64 of (frame, top, left), shuffled without replacement in every epoch;
    validation, test and prediction batches are (1, 3): every whole frame once, in order.

    Args:
        path: video file, folder of PNG or glob; "bunny" is the short clip that comes with the package.
        frames: frames to take, as start:stop.
        crop: (x, y, width, height) in pixels; zeros keep the whole frame.
        size: (width, height) to resize to; zeros keep the size.
        raw: geometry of a headerless .yuv file; its rate also serves pictures, its matrix untagged videos.
        patch: (height, width) of a training patch; 0 is the whole side.
        batch_size: patches of a training step over all devices together.
        seed: seed of the training order.
        sequence: stands for `{sequence}` in the path, so that one recipe serves all videos of a set.
    """

    def __init__(
        self,
        path: str = "bunny",
        frames: str = ":",
        crop: tuple[int, int, int, int] = (0, 0, 0, 0),
        size: tuple[int, int] = (0, 0),
        raw: RawGeometry = NO_GEOMETRY,
        patch: tuple[int, int] = (0, 0),
        batch_size: int = 1,
        seed: int = 0,
        sequence: str = "",
    ) -> None:
        super().__init__()
        self.path = path.replace("{sequence}", sequence)
        self.select = Selection.parse(frames, crop, size)
        self.raw = raw
        self.patch = patch
        self.batch_size = batch_size
        self.seed = seed

    def setup(self, stage: str = "") -> None:
        """Read the video, on the first call.

        Raises:
            InputError: it cannot be read as asked, or the patches do not fit it.
        """
        self._sampler()

    @cached_property
    def video(self) -> Video:
        """The video, read on first use."""
        return read_named_video(self.path, self.select, self.raw)

    @cached_property
    def patches(self) -> PatchIndices:
        """The training patches."""
        return PatchIndices(self.video.format, self.patch)

    @property
    def train_size(self) -> int:
        """Number of training patches."""
        return len(self.patches)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of an epoch: train_size over the batch size, rounded up."""
        return -(-self.train_size // self.batch_size)

    def train_dataloader(self) -> PatchLoader:
        """Shuffled patches, this rank's share of every global batch."""
        sampler = self._sampler()
        return PatchLoader(
            self.patches, batch_size=self.batch_size // sampler.num_replicas, sampler=sampler, num_workers=0
        )

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Whole frames in order."""
        frames = PatchIndices(self.video.format, (0, 0))
        return DataLoader(frames, batch_size=1, sampler=FrameSampler(frames, *self._place()), num_workers=0)

    def test_dataloader(self) -> DataLoader[Tensor]:
        """Whole frames in order."""
        return self.val_dataloader()

    def predict_dataloader(self) -> DataLoader[Tensor]:
        """Whole frames in order."""
        return self.val_dataloader()

    def _sampler(self) -> PatchSampler:
        """The training order of this rank."""
        return PatchSampler(self.patches, self.batch_size, *self._place(), self.seed)

    def _place(self) -> tuple[int, int]:
        """Number of ranks and which one this is; (1, 0) outside a trainer."""
        trainer = self.trainer
        return (trainer.world_size, trainer.global_rank) if trainer is not None else (1, 0)
