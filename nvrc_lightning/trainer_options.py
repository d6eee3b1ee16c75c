"""Options of Lightning's Trainer that mean something else here."""

from collections.abc import Mapping
from typing import Any

import lightning
import torch

from nvrc_components.errors import InputError

__all__ = ["check_trainer", "replacements"]


def check_trainer(trainer: lightning.Trainer) -> None:
    """Refuse options that would have no effect, or not the one they promise.

    Raises:
        InputError: there is one; the message says what to give instead.
    """
    if trainer.gradient_clip_val is not None:
        raise InputError("--trainer.gradient_clip_val has no effect here; give --model.gradient_clip instead")
    if trainer.precision in ("16-true", "bf16-true"):
        raise InputError("--trainer.precision: parameters must be float32, as in the decoder; give bf16-mixed instead")
    if trainer.strategy.root_device.type == "mps":
        raise InputError("--trainer.accelerator: mps has no double precision, which training needs; give cpu instead")
    if 0 in (trainer.max_epochs, trainer.max_steps):
        raise InputError("--trainer.max_epochs or --trainer.max_steps is 0; nothing would be trained, give 1 or more")
    if trainer.max_epochs == -1 and trainer.max_steps == -1:
        raise InputError("stages are shares of the whole training, which must end; give --trainer.max_epochs")


def replacements(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Trainer's arguments that stand for what its configuration leaves to Lightning.

    Distortion steps leave the entropy models out, which DDP must be told. Of accelerators only CUDA is taken by itself:
    statistics of side information are summed in double precision, which Apple's has not.
    """
    changed = {}
    several = _several_processes(config.get("devices"), config.get("num_nodes", 1))
    if config.get("strategy") == "ddp" or (several and config.get("strategy") == "auto"):
        changed["strategy"] = "ddp_find_unused_parameters_true"
    if config.get("accelerator") == "auto" and not torch.cuda.is_available():
        changed["accelerator"] = "cpu"
    return changed


def _several_processes(devices: Any, nodes: int) -> bool:
    """Whether more than one process may train, given the Trainer's `devices` and `num_nodes`."""
    if nodes > 1:
        return True
    if devices in ("auto", -1, "-1"):
        return torch.cuda.device_count() > 1
    return len(devices) > 1 if isinstance(devices, list) else devices not in (1, "1")
