"""`nvrc fit`, `validate` and `test`: Lightning's own command line, with this package's manners."""

import errno
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast
from zipfile import is_zipfile

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback

from nvrc_components.errors import InputError
from nvrc_lightning.arguments import prepare
from nvrc_lightning.callbacks.export import BitstreamExport
from nvrc_lightning.callbacks.interrupt import Interruption
from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.callbacks.schedule import steps_per_epoch
from nvrc_lightning.data.datamodule import VideoDataModule
from nvrc_lightning.modules.video_codec import VideoCodec
from nvrc_lightning.option_errors import explain
from nvrc_lightning.option_parser import NvrcParser
from nvrc_lightning.quiet import silence
from nvrc_lightning.trainer_options import check_trainer, replacements

__all__ = ["NvrcCLI", "run", "train"]


class SaveConfig(SaveConfigCallback):
    """Keeps the configuration in the run's folder; scoring a checkpoint is no run of its own."""

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Save it, on rank 0.

        Raises:
            InputError: the folder cannot be written.
        """
        if stage != "fit":
            return
        try:
            super().setup(trainer, pl_module, stage)
        except OSError as error:
            raise InputError(
                f"{trainer.log_dir}: cannot be written ({error.strerror}); choose another folder"
            ) from error


_AMPLE: Final = 32
"""Pixels a side that are enough for any distortion."""


class NvrcCLI(LightningCLI):
    """LightningCLI for `VideoCodec` and `VideoDataModule` or subclasses of them.

    Args:
        args: command and options; recipes already resolved.

    Raises:
        InputError: an option, a class or a file is not what it should be.
    """

    def __init__(self, args: Sequence[str]) -> None:
        self.interruption = Interruption()
        with ExitStack() as self._ends_with_run:
            super().__init__(
                VideoCodec,
                VideoDataModule,
                save_config_callback=SaveConfig,
                save_config_kwargs={"overwrite": True},
                trainer_defaults={"callbacks": [self.interruption]},
                parser_class=NvrcParser,
                parser_kwargs={"prog": "nvrc"},
                subclass_mode_model=True,
                subclass_mode_data=True,
                # Learning rates belong to the module's parameter groups; an optimiser from outside would lose them.
                auto_configure_optimizers=False,
                args=list(args),
            )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Name Lightning's commands but for prediction, whose pictures it would drop; `nvrc decode` is for those."""
        return {name: skipped for name, skipped in LightningCLI.subcommands().items() if name != "predict"}

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse; the original warns where `args` are given although the process has its own."""
        self.config = parser.parse_args(cast(list[str], args))

    def _parse_ckpt_path(self) -> None:
        """Check the checkpoint; the original lets its hyper-parameters silently win over explicit options."""
        path = self.config[self.config["subcommand"]].get("ckpt_path")
        if not path or path in ("best", "last", "hpc"):
            return
        if not Path(path).is_file():
            raise InputError(f"{path}: no such checkpoint")
        if not is_zipfile(path):
            raise InputError(f"{path}: not a checkpoint, or a damaged one")

    def _set_seed(self) -> None:
        """Set the seed.

        Raises:
            InputError: it is out of the generators' range.
        """
        try:
            super()._set_seed()
        except ValueError as error:
            raise InputError("the seed (--seed, --seed_everything) must be from 0 to 4294967295") from error

    def instantiate_classes(self) -> None:
        """Build everything the configuration names.

        Raises:
            InputError: a value is refused by what it was given to.
        """
        try:
            super().instantiate_classes()
        except (ValueError, MisconfigurationException, ModuleNotFoundError) as error:
            raise InputError(explain(str(error))) from error
        except RuntimeError as error:
            if "more than one stateful callback" not in str(error):
                raise
            raise InputError(
                "trainer.callbacks: one kind is there twice, such as a target that the recipe has already; drop one"
            ) from error

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """Build the trainer, with what this package's training needs where the configuration leaves it open."""
        config = self._get(self.config_init, "trainer")
        changed = replacements(config)
        if config["fast_dev_run"]:  # has no logger, and so no folder of its own to leave anything in
            folder = TemporaryDirectory(prefix="nvrc-")
            changed["default_root_dir"] = self._ends_with_run.enter_context(folder)
        return super().instantiate_trainer(**kwargs, **changed)

    def _run_subcommand(self, subcommand: str) -> None:
        """Run; what Lightning makes of signals and of unfit checkpoints is made plain.

        Raises:
            KeyboardInterrupt: with how to resume.
            InputError: the checkpoint is of another network, or the devices asked for are not there.
        """
        self._check_before_run()
        self._log_short_epochs()
        try:
            super()._run_subcommand(subcommand)
        except SystemExit:
            if self.interruption.cause is None:
                raise
            raise self.interruption.cause(_resume_hint(self.interruption.checkpoint)) from None
        except MisconfigurationException as error:
            raise InputError(str(error)) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            folder = self.trainer.log_dir or self.trainer.default_root_dir
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); what was saved before is whole"
            ) from error
        except RuntimeError as error:
            if not str(error).startswith("Error(s) in loading state_dict"):
                raise
            path = self.config[subcommand]["ckpt_path"]
            raise InputError(
                f"{path}: holds another network than this configuration makes; use the config.yaml of its run"
            ) from error

    def _check_before_run(self) -> None:
        """Find out what cannot work before the logger makes a folder for the run.

        Raises:
            InputError: the video cannot be read, the network or the distortion does not fit it, an option of the
                trainer would have no effect, nothing is there to score, or the run's folder cannot be made.
        """
        check_trainer(self.trainer)
        if self.subcommand != "fit" and not self._get(self.config, "ckpt_path"):
            raise InputError(f"{self.subcommand} scores a checkpoint; give one with --ckpt_path")
        self._read_video()
        with torch.random.fork_rng(devices=[]):
            self.model.network.build(self.datamodule.video.format)
        self._check_patch()
        folder = Path(self.trainer.log_dir or self.trainer.default_root_dir)
        place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        if not (place.is_dir() and os.access(place, os.W_OK)):
            raise InputError(f"{folder}: cannot be written; choose another folder with --trainer.logger.save_dir")

    def _check_patch(self) -> None:
        """Find out whether the distortion can be measured on patches of this size.

        Raises:
            InputError: they are too small for it.
        """
        fmt, (height, width) = self.datamodule.video.format, self.datamodule.patch
        patch = torch.zeros(1, 3, min(height or fmt.height, _AMPLE), min(width or fmt.width, _AMPLE))
        try:
            self.model.distortion(patch, patch)
        except ValueError as error:
            raise InputError(f"{error}; give larger ones (--data.patch) or a larger video") from error

    def _read_video(self) -> None:
        """Read it; a run may have begun in another folder, from which its path counts.

        Raises:
            InputError: it cannot be read.
        """
        try:
            self.datamodule.setup()
        except InputError as error:
            resumed = self._get(self.config, "ckpt_path")
            if not (resumed and str(error).endswith(": no such file")) or Path(self.datamodule.path).is_absolute():
                raise
            raise InputError(f"{error} from here; go to where the run began, or give --data.path") from error

    def _log_short_epochs(self) -> None:
        """Log once in every epoch at least, unless told how often: Lightning's 50 steps may be a whole run."""
        if self._get(self.config_init, "trainer")["log_every_n_steps"] is None:
            trainer: Any = self.trainer
            steps = steps_per_epoch(trainer, self.datamodule.steps_per_epoch)
            trainer.log_every_n_steps = max(1, min(trainer.log_every_n_steps, steps))


def _resume_hint(checkpoint: Path | None) -> str:
    """How to go on after an interruption."""
    return f"go on with: nvrc fit --ckpt_path {checkpoint}" if checkpoint else ""


def train(args: Sequence[str]) -> NvrcCLI:
    """Run one of Lightning's commands in this process and return what it made: trainer, model, data, configuration.

    Args:
        args: as after `nvrc`, such as ``["fit", "--config", "nvrc_lite", "--model.lmbda", "16"]``.

    Raises:
        NvrcError: the input was at fault.
        KeyboardInterrupt: it was interrupted; the message says how to resume.
    """
    silence()
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    try:
        return NvrcCLI(prepare(list(args)))
    finally:
        if in_main:  # Lightning leaves Ctrl-C ignored behind
            signal.signal(signal.SIGINT, before)


def run(words: Sequence[str]) -> None:
    """Be `nvrc fit` and its kind.

    Args:
        words: those after `nvrc`, prepared or not.
    """
    for export in callbacks_of(train(words).trainer, BitstreamExport):
        if export.result is not None and export.file.exists():  # a fast_dev_run keeps nothing
            print(f"wrote {export.file}")
