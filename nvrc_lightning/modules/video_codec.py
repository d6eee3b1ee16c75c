"""The LightningModule: a representation under quantised parameters, a distortion, and the rate.

patch indices --> windows --> CompressedModule --> patches --> D        loss = R + lambda D
                                      |--> bits -------------> R        (R in bits per source pixel)
"""

import math
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from nvrc_components.bitstream.video_file import CodedColour, full_precision
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.functional.color import yuv_to_rgb
from nvrc_components.quantizers import StraightThrough
from nvrc_components.representations.patches import Region
from nvrc_components.representations.representation import Representation
from nvrc_components.video_format import VideoFormat
from nvrc_lightning.modules.compilation import compiled_call
from nvrc_lightning.modules.losses import YuvDistortion
from nvrc_lightning.modules.networks import Network
from nvrc_lightning.modules.optimizer import adopt_rates, build_optimizer, same_shapes
from nvrc_lightning.modules.options import LearningRates
from nvrc_lightning.modules.rendering import crops, render_patches
from nvrc_lightning.modules.source import training_frames


class VideoCodec(lightning.LightningModule):
    """Overfits a compressed representation to the data module's video.

    Batches are (B, 3) patch indices (frame, top, left); the video itself lies on the module's device as integers.
    Distortion and rate take separate steps when a `RateSteps` callback is there; without it every step takes both.
    A stage may weigh the rate, down to 0.

    Args:
        network: which representation to build for the clip.
        groups: how its parameters are quantised and coded.
        distortion: D(prediction, target), both (B, 3, h, w) in [0, 1].
        lmbda: weight of the distortion against bits per source pixel; larger is better quality.
        rates: learning rates.
        muon: take Muon's steps on the network's matrices instead of Adam's, which gets further in short trainings.
        gradient_clip: greatest norm of a distortion step's gradient; a rate step is scaled as the last one was.
        colour: what is coded, RGB or YUV at 4:4:4.
        start_lmbda: lambda that the groups' starting steps are meant for: with another one they start finer or coarser
            by its square root, which is what the best steps do where distortion grows with their square; 0 leaves them.
        plain_side: store side information without priors of its own, to measure what coding it is worth.
        compile_network: compile the network's part of a training step; minutes at the start for faster steps.

    Raises:
        ValueError: the distortion is one of YUV, but RGB is coded, or a lambda is out of range.
    """

    compressed: CompressedModule

    def __init__(
        self,
        network: Network,
        groups: Sequence[Group],
        distortion: nn.Module,
        lmbda: float = 4.0,
        rates: LearningRates = LearningRates(),  # noqa: B008 - frozen
        muon: bool = False,
        gradient_clip: float = 1.0,
        colour: CodedColour = CodedColour.RGB,
        start_lmbda: float = 0.0,
        plain_side: bool = False,
        compile_network: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(distortion, YuvDistortion) and colour == CodedColour.RGB:
            raise ValueError("YuvDistortion compares YUV pictures; set --model.colour=YUV444 with it")
        if not 0 < lmbda < math.inf:
            raise ValueError(f"lmbda is {lmbda:g}; --model.lmbda must be above 0")
        if not 0 <= start_lmbda < math.inf:
            raise ValueError(f"start_lmbda is {start_lmbda:g}; --model.start_lmbda must be above 0, or 0 for none")
        self.network = network
        self.groups = tuple(groups)
        self.distortion = distortion
        self.lmbda = lmbda
        self.rates = rates
        self.muon = muon
        self.gradient_clip = gradient_clip
        self.colour = colour
        self.start_lmbda = start_lmbda
        self.plain_side = plain_side
        self._call = compiled_call() if compile_network else functional_call
        self.joint = True
        self.rate_weight = 1.0
        self.clip_factor = self.clip_scale = 1.0
        self.stage_name = ""
        self.last_bpp: Tensor | float = 0.0

    def configure_model(self) -> None:
        """Build the network once the video's geometry is known."""
        if hasattr(self, "compressed"):
            return
        datamodule: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.format: VideoFormat = datamodule.video.format
        self.compressed = CompressedModule(
            self.network.build(self.format), self.groups, StraightThrough(), seed=datamodule.seed
        )
        if self.start_lmbda:
            for codec in self.compressed.tensor_codecs():
                codec.quantizer.scale_steps(0.5 * math.log2(self.start_lmbda / self.lmbda))
        if self.plain_side:
            for side in self.compressed.side_tensors():
                side.make_plain()
        self._source = training_frames(datamodule.video, self.colour)

    @property
    def source(self) -> Tensor:
        """The video as integer code values of the coded colour space, on the module's device.

        Shape: (T, 3, H, W).
        """
        # Not a buffer: DDP would send all of those from rank 0 to the others at every step.
        if self._source.device != self.device:
            self._source = self._source.to(self.device)
        return self._source

    def forward(self, frames: Tensor, region: Region | None = None) -> Tensor:
        """Return pictures under the quantised parameters, of which only the touched slices are quantised.

        Shape: (B,) -> (B, 3, H, W), or (B, 3, h, w) of a region; values in [0, 1].
        """
        module = self.compressed.module
        parameters = self.compressed.quantized(module.windows(frames))  # type: ignore[operator]
        # What is no training step computes as a decoder does.
        function = self._call if self.compressed.training else functional_call

        def call(frames: Tensor, region: Region | None) -> Tensor:
            pictures: Tensor = function(module, parameters, (frames, region))
            return pictures

        if region is None or not isinstance(module, Representation):
            return call(frames, region)
        return render_patches(call, module, frames, region)

    def training_step(self, batch: Tensor) -> Tensor:
        """Return lambda D, and the weighted R with it where no callback takes rate steps."""
        distortion = self._distortion(batch)
        loss = self.lmbda * distortion
        if self.joint and self.rate_weight:
            loss = loss + self.rate_weight * self.bits_per_pixel()
        elsewhere = 0.0 if self.joint else self.rate_weight * self.last_bpp
        self.log("loss", loss.detach() + elsewhere, prog_bar=True)
        return loss

    def patches(self, batch: Tensor) -> Tensor:
        """Return the patches of a batch as the network paints them.

        Shape: (B, 3) of frame, top and left -> (B, 3, h, w) in [0, 1].
        """
        region = self._region(batch)
        pictures: Tensor = self(batch[:, 0], region)
        return pictures

    def _region(self, batch: Tensor) -> Region | None:
        """Where the patches lie, or None for whole frames."""
        datamodule: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        height, width = datamodule.patch[0] or self.format.height, datamodule.patch[1] or self.format.width
        _, tops, lefts = batch.unbind(1)
        whole = (height, width) == (self.format.height, self.format.width)
        return None if whole else Region(height, width, tops, lefts)

    def _distortion(self, batch: Tensor) -> Tensor:
        prediction, region = self.patches(batch), self._region(batch)
        target = self.source[batch[:, 0]] if region is None else crops(self.source, batch, region.height, region.width)
        target = target.float() / self.format.peak  # whatever autocast gave the prediction: halves cannot hold codes
        self.log("psnr", -10 * (prediction.detach() - target).square().mean().log10(), prog_bar=True)
        distortion: Tensor = self.distortion(prediction, target)
        return distortion

    def bits_per_pixel(self) -> Tensor:
        """Return R: the bits of all parameters over the source's pixels; always in full precision."""
        with torch.autocast(self.device.type, enabled=False):
            bpp = torch.stack(list(self.compressed.bits().values())).sum() / self.format.pixels
        self.last_bpp = bpp.detach()
        self.log("bpp", self.last_bpp, prog_bar=True)
        return bpp

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Log the PSNR of the frames that the rounded parameters give."""
        self._score(batch, batch_idx, "val")

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        """Log the PSNR of the frames that the rounded parameters give."""
        self._score(batch, batch_idx, "test")

    def predict_step(self, batch: Tensor) -> Tensor:
        """Return pictures in [0, 1]."""
        return self.render(batch[:, 0])

    def _score(self, batch: Tensor, number: int, name: str) -> None:
        target = self.source[batch[:, 0]] / self.format.peak
        error = (self.render(batch[:, 0]) - target).square().mean((1, 2, 3))
        # With several ranks the last frames may be the first ones once more: they count for nothing, the others for
        # more. Not by batch_size: Lightning rounds the mean of the ranks' sizes to whole numbers.
        ranks, frames = self.trainer.world_size, self.format.frames
        again = number * ranks + self.trainer.global_rank >= frames
        psnr = torch.zeros_like(error) if again else -10 * error.log10() * (-(-frames // ranks) * ranks / frames)
        self.log(f"{name}_psnr", psnr.mean(), prog_bar=True, sync_dist=True)

    @torch.no_grad()
    def render(self, frames: Tensor) -> Tensor:
        """Return pictures under the rounded parameters, in the coded colour space.

        Shape: (B,) -> (B, 3, H, W) in [0, 1].
        """
        training = self.compressed.training
        self.compressed.eval()
        with full_precision():
            pictures: Tensor = self(frames.to(self.device)).float()
        self.compressed.train(training)
        return pictures

    def render_rgb(self, frames: Tensor) -> Tensor:
        """Return the same in RGB, whatever is coded.

        Shape: (B,) -> (B, 3, H, W) in [0, 1].
        """
        pictures = self.render(frames)
        if self.colour == CodedColour.RGB:
            return pictures
        luma, u, v = (pictures * self.format.peak).unbind(1)
        return yuv_to_rgb(luma, u, v, self.format)

    def configure_optimizers(self) -> Optimizer:
        """Return Adam or Muon over grids, network and codec; `peak_lr` is what a stage scales."""
        # A gradient scaler leaves its factor in the gradients of a fused Adam until after they are clipped.
        return build_optimizer(self.compressed, self.rates, self.muon, fused=self.trainer.scaler is None)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the rate of the last rate step, which the loss is told with."""
        checkpoint["last_bpp"] = torch.as_tensor(self.last_bpp).cpu()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the learning rates of this configuration win over those that the checkpoint's run had.

        Raises:
            InputError: the checkpoint's run had another optimiser, and training is to go on.
        """
        self.last_bpp = checkpoint.get("last_bpp", 0.0)
        if self.trainer.training and same_shapes(checkpoint["state_dict"], self.state_dict()):
            adopt_rates(checkpoint, self.configure_optimizers())

    def configure_gradient_clipping(self, optimizer: Optimizer, *_: Any, **__: Any) -> None:
        """Scale the gradient to the norm at most, and remember by how much, for the rate steps."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        limit = self.gradient_clip * self.clip_scale
        norm = float(nn.utils.clip_grad_norm_(parameters, limit))
        if math.isfinite(norm):  # halves overflow now and then, and the scaler passes over that step
            self.clip_factor = min(1.0, limit / (norm + 1e-6))
