"""A video in, a `.nvrc` file out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from lightning.pytorch.callbacks import Callback

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_lightning.callbacks.export import BitstreamExport
from nvrc_lightning.evaluation.result import Result
from nvrc_lightning.training import train

__all__ = ["encode"]

_ACCELERATORS = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "gpu": "gpu"}


def encode(
    video: str | Path,
    output: str | Path,
    *,
    recipe: str = "nvrc_lite",
    lmbda: float | None = None,
    epochs: int | None = None,
    size: str | None = None,
    frames: str = ":",
    device: str = "auto",
    seed: int | None = None,
    force: bool = False,
    options: tuple[str, ...] = (),
) -> Result:
    """Fit a recipe's network to a video and write it; what is not given stays as the recipe has it.

    The file appears only after it was decoded and compared with the encoder's frames. Training happens in a
    temporary folder; `nvrc fit` is the way to keep checkpoints.

    Args:
        video: video file, folder of PNG or glob; "bunny" is the clip that comes with the package.
        output: the `.nvrc` file.
        recipe: name or path of a recipe.
        lmbda: weight of the distortion against bits per pixel; larger is better quality and a larger file.
        epochs: how often every frame is trained on.
        size: size of the network: auto, or from xxs to l.
        frames: frames to take, as start:stop.
        device: auto, cpu, cuda or cuda:N.
        seed: of the start and of the order of training.
        force: replace an existing file.
        options: any further options of `nvrc fit`.

    Raises:
        InputError: the video, an option or the output cannot be used as asked; before training starts.
    """
    words = ["fit", "--config", recipe, f"--data.path={video}", f"--data.frames={frames}", *_device_options(device)]
    for option, value in (
        ("model.lmbda", lmbda),
        ("trainer.max_epochs", epochs),
        ("model.network.size", size),
        ("seed_everything", seed),
        ("data.seed", seed),
    ):
        words += [] if value is None else [f"--{option}={value}"]
    with atomic_path(output, force) as place, tempfile.TemporaryDirectory(prefix="nvrc-") as folder:
        logger = ["--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={folder}"]
        export = _train([*words, *logger, *options])
        place.write_bytes(export.file.read_bytes())
    assert export.result is not None
    return export.result


def _train(words: Sequence[str]) -> BitstreamExport:
    """Train, and return what wrote the file.

    Raises:
        InputError: the recipe does not write one.
        KeyboardInterrupt: it was interrupted.
    """
    try:
        callbacks = cast(list[Callback], train(words).trainer.callbacks)  # type: ignore[attr-defined]
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was written; 'nvrc fit' keeps checkpoints to go on from") from None
    exports = [callback for callback in callbacks if isinstance(callback, BitstreamExport)]
    if not exports or exports[-1].result is None:
        raise InputError("the recipe writes no file; add a BitstreamExport to its callbacks")
    return exports[-1]


def _device_options(device: str) -> list[str]:
    """Which accelerator Lightning is to use.

    Raises:
        InputError: there is no such kind of device.
    """
    kind, _, index = device.partition(":")
    if kind not in _ACCELERATORS or not (index.isdigit() or not index):
        raise InputError(f"device {device!r} is not auto, cpu, cuda or cuda:N")
    return [f"--trainer.accelerator={_ACCELERATORS[kind]}", f"--trainer.devices={f'[{index}]' if index else 1}"]
