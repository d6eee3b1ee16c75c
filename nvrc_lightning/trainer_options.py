"""Options of Lightning's Trainer that mean something else here."""

from typing import Any

import lightning
import torch

from nvrc_components.errors import InputError

__all__ = ["check_trainer", "several_processes"]


def check_trainer(trainer: lightning.Trainer) -> None:
    """Refuse options that would have no effect, or not the one they promise.

    Raises:
        InputError: there is one; the message says what to give instead.
    """
    if trainer.gradient_clip_val is not None:
        raise InputError("--trainer.gradient_clip_val has no effect here; give --model.gradient_clip instead")
    if trainer.accumulate_grad_batches != 1:
        raise InputError("--trainer.accumulate_grad_batches must be 1; give a larger --data.batch_size instead")
    if trainer.max_epochs == -1 and trainer.max_steps == -1:
        raise InputError("stages are shares of the whole training, which must end; give --trainer.max_epochs")


def several_processes(devices: Any, nodes: int) -> bool:
    """Whether more than one process may train, given the Trainer's `devices` and `num_nodes`."""
    if nodes > 1:
        return True
    if devices in ("auto", -1, "-1"):
        return torch.cuda.device_count() > 1
    return len(devices) > 1 if isinstance(devices, list) else devices not in (1, "1")
