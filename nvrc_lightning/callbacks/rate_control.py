"""A file of a wanted size from one run: lambda is controlled while training, and steps are scaled for the rest."""

import copy
import math
import warnings
from functools import partial
from typing import Any, Final

import lightning
from lightning.pytorch.callbacks import Callback

from nvrc_components.bitstream.video_file import sections_of
from nvrc_components.compressed_module import CompressedModule
from nvrc_components.errors import InputError
from nvrc_components.video_format import VideoFormat
from nvrc_lightning.callbacks.lambda_control import LambdaControl
from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.callbacks.progress import announce
from nvrc_lightning.callbacks.schedule import Plan, plan_of, planned_iterations
from nvrc_lightning.callbacks.stages import Stages
from nvrc_lightning.file_size import estimated_bytes, file_bytes, fixed_bytes
from nvrc_lightning.modules.video_codec import VideoCodec
from nvrc_lightning.quantities import parse_size
from nvrc_lightning.step_search import TargetError, codec_state, scale_to_size

__all__ = ["RateControl", "fit_for_export"]

_UPDATES: Final = 200
_SHORTEST: Final = 1600
_LAG: Final = 180
"""Steps in which sizes follow lambda most of the way; in runs shorter than the first, progress counts for less."""
_LANDING: Final = 0.9
_AIM: Final = 0.995
_ATTEMPTS_TO_LAND: Final = 3
_ATTEMPTS_TO_SETTLE: Final = 2
"""Candidates that the searches take as a rule, to plan with."""
_UNTRAINED: Final = 10
"""How much longer priors are fitted that no rate has trained."""
_ACCEPTED: Final = 0.97
_PSI_BYTES: Final = 3


class RateControl(Callback):
    """Makes the file as large as is wanted, within 3 % under it and never over, in one run.

    Lambda, which starts from the module's, is controlled so that the file as it would be now approaches the wanted
    size; as fast as learning rates let it follow. When the last stage begins, all quantisation steps are scaled by a
    common factor for what is still missing; lambda and the factor stay, and that stage trains with them. At the end
    the steps are scaled once more by the little that it moved, by the size of the file as it is really coded.

    Comes after `Stages` in the list of callbacks.

    Args:
        size: wanted size of the file, such as 200kB, 1.5MB, 300KiB or a number of bytes.
        bpp: wanted bits of the file for each pixel of the source; this or the size.
        fit_iterations: steps of the entropy models for each candidate.

    Raises:
        ValueError: both or none are given, or bpp is not positive.
        InputError: the size is none.
    """

    def __init__(self, size: str | int = "", bpp: float = 0.0, fit_iterations: int = 30) -> None:
        if bool(size) == bool(bpp):
            raise ValueError("RateControl needs a size, such as 200kB, or bpp, and not both")
        if bpp and not 0 < bpp < math.inf:
            raise ValueError(f"bpp is {bpp}; RateControl needs a positive number of bits for each pixel")
        self._bytes = parse_size(str(size)) if size else 0
        self.bpp = bpp
        self.fit_iterations = fit_iterations
        self._landed = False
        self._control = LambdaControl(0.0)
        self._state: dict[str, float] = {}
        self._handled = -1
        self._fixed = 0

    def candidates_left(self, iterations: int) -> list[int]:
        """Return the entropy models' steps for each file that will be coded as a rule.

        Args:
            iterations: those at the end, for the candidate that is taken.
        """
        attempts = _ATTEMPTS_TO_SETTLE + (0 if self._landed else _ATTEMPTS_TO_LAND)
        return [*(attempts * [self.fit_iterations]), iterations]

    def limit(self, fmt: VideoFormat) -> int:
        """Return the wanted size of a video's file in bytes."""
        return self._bytes or math.floor(self.bpp * fmt.pixels / 8)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start from the module's lambda, or go on from the checkpoint's.

        Raises:
            TargetError: the file's header and side information alone are larger than the target.
            InputError: `Stages` comes later, and would undo what is done when its last stage begins.
        """
        assert isinstance(pl_module, VideoCodec)
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        if any(isinstance(callback, Stages) for callback in callbacks[callbacks.index(self) :]):
            raise InputError("RateControl must come after Stages in trainer.callbacks; move it down")
        self._control = LambdaControl(math.log2(pl_module.lmbda))
        if self._state:
            self._control.load_state_dict(self._state)
        else:
            self._fixed = fixed_bytes(sections_of(pl_module.compressed, pl_module.format, pl_module.colour))
            self._check(pl_module)
        pl_module.lmbda = self._control.lmbda

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any, **__: Any
    ) -> None:
        """Move lambda if its turn has come, or scale the steps."""
        assert isinstance(pl_module, VideoCodec)
        step, plan = trainer.global_step, plan_of(trainer)
        if step == self._handled:  # with accumulated gradients there are several batches a step
            return
        self._handled = step
        before, now = plan.progress(step - 1), plan.progress(step)
        begins, landed = _last_stage(trainer, step, plan)
        if begins:
            self._land(trainer, pl_module)
        elif not landed and math.floor(before * _UPDATES) != math.floor(now * _UPDATES) and pl_module.rate_weight:
            group = max(trainer.optimizers[0].param_groups, key=lambda group: group["peak_lr"])
            whole = max(plan.end, _SHORTEST)
            elapsed = max(plan.end / _UPDATES, 1) / whole * group["lr"] / group["peak_lr"]
            self._update(trainer, pl_module, elapsed, _LAG / whole)

    def settle(self, trainer: lightning.Trainer, codec: VideoCodec, iterations: int) -> None:
        """Scale the steps and fit the entropy models so that the file has the wanted size.

        Raises:
            TargetError: the network's smallest file is larger.
        """
        self._search(codec, codec.compressed)
        kept, limit = codec_state(codec.compressed), self.limit(codec.format)
        _fit(trainer, codec, iterations)
        size = file_bytes(codec.compressed, codec.format, codec.colour)
        if size > limit:  # fewer bits by the estimate may be a byte more in the file
            codec.compressed.codecs.load_state_dict(kept)
        elif size < _ACCEPTED * limit:
            warnings.warn(
                f"the file has {size:,} of {limit:,} bytes: finer steps would show in no picture; the network is too "
                "small (--size, --model.network.size), or training too short (--epochs, --trainer.max_epochs) for "
                "lambda to settle",
                stacklevel=2,
            )

    def state_dict(self) -> dict[str, Any]:
        """Where lambda and the search for the size have got to."""
        return {"control": self._control.state_dict(), "fixed": self._fixed, "landed": self._landed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep it for the start of the fit."""
        self._fixed = state_dict["fixed"]
        self._landed = state_dict["landed"]
        self._state = state_dict["control"]

    def _update(self, trainer: lightning.Trainer, codec: VideoCodec, elapsed: float, lag: float) -> None:
        size = trainer.strategy.broadcast(estimated_bytes(codec.compressed) + self._fixed)
        self._control.update(size, _AIM * self.limit(codec.format), elapsed, lag)
        codec.lmbda = self._control.lmbda
        codec.log("lambda", codec.lmbda)

    def _land(self, trainer: lightning.Trainer, codec: VideoCodec) -> None:
        """Scale the steps to the target; the entropy models are left for the last stage to train."""
        self._landed = True
        trial = copy.deepcopy(codec.compressed).eval()
        octaves = trainer.strategy.broadcast(self._search(codec, trial))
        for tensor_codec in codec.compressed.tensor_codecs():
            tensor_codec.quantizer.scale_steps(octaves)

    def _search(self, codec: VideoCodec, compressed: CompressedModule) -> float:
        """Bring a module to the target and return the octaves by which its steps were scaled."""
        iterations = self.fit_iterations * (1 if codec.rate_weight else _UNTRAINED)
        size = partial(file_bytes, compressed, codec.format, codec.colour)
        return scale_to_size(compressed, size, self.limit(codec.format), iterations).octaves

    def _check(self, codec: VideoCodec) -> None:
        """Refuse a target that no training can reach, before there was any.

        Raises:
            TargetError: header, framing and the least side information alone are larger.
        """
        sides = codec.compressed.side_tensors()
        least = self._fixed + sum(_PSI_BYTES if side.value.numel() > 1 else 1 for side in sides)
        if least > self.limit(codec.format):
            raise TargetError(
                f"the target of {self.limit(codec.format):,} bytes cannot be reached: header and side information of "
                f"this network take {least:,} bytes at least; give a smaller network (--size, --model.network.size) or "
                "a larger target"
            )


def fit_for_export(trainer: lightning.Trainer, codec: VideoCodec, iterations: int) -> None:
    """Fit the entropy models, to the size that a `RateControl` of the run wants if there is one.

    Raises:
        TargetError: the network's smallest file is larger.
    """
    announce(trainer, "fitting the entropy models to the final parameters")
    for control in callbacks_of(trainer, RateControl):
        control.settle(trainer, codec, iterations)
        return
    _fit(trainer, codec, iterations)


def _fit(trainer: lightning.Trainer, codec: VideoCodec, iterations: int) -> None:
    """Fit the entropy models, and store their side information as coarsely as pays."""
    codec.compressed.fit_entropy_models(planned_iterations(trainer, iterations))
    codec.compressed.coarsen_entropy_models()


def _last_stage(trainer: lightning.Trainer, step: int, plan: Plan) -> tuple[bool, bool]:
    """Return whether the last stage begins with this step, and whether it goes on; one stage has its last tenth."""
    progress, before = plan.progress(step), plan.progress(step - 1)
    for stages in callbacks_of(trainer, Stages):
        if len(stages.stages) > 1:
            last = stages.locate(progress)[0] is stages.stages[-1]
            return last and stages.begins(step, plan), last
    return before < _LANDING <= progress, progress >= _LANDING
