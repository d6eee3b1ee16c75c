"""A video in, a `.nvrc` file out.

Lightning takes seconds to import, which is left until the options were looked at, so that mistakes are told at once.
"""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_lightning import stopwatch
from nvrc_lightning.arguments import prepare
from nvrc_lightning.data.paths import PACKAGED, is_missing
from nvrc_lightning.quantities import parse_duration, parse_size

if TYPE_CHECKING:
    from nvrc_lightning.callbacks.export import BitstreamExport
    from nvrc_lightning.evaluation.result import Result

__all__ = ["encode"]

_ACCELERATORS = {"auto": "auto", "cpu": "cpu", "cuda": "gpu", "gpu": "gpu"}


def encode(
    video: str | Path,
    output: str | Path,
    *,
    recipe: str = "nvrc_lite",
    lmbda: float | None = None,
    target_size: str | None = None,
    target_bpp: float | None = None,
    target_time: str | None = None,
    epochs: int | None = None,
    size: str | None = None,
    frames: str = ":",
    device: str = "auto",
    seed: int | None = None,
    force: bool = False,
    options: tuple[str, ...] = (),
) -> "Result":
    """Fit a recipe's network to a video and write it; what is not given stays as the recipe has it.

    The file appears only after it was decoded and compared with the encoder's frames. Training happens in a
    temporary folder; `nvrc fit` is the way to keep checkpoints.

    Args:
        video: video file, folder of PNG or glob; "bunny" is the clip that comes with the package.
        output: the `.nvrc` file.
        recipe: name or path of a recipe, with overlays behind it: "nvrc+budget/short".
        lmbda: weight of the distortion against bits per pixel; larger is better quality and a larger file.
        target_size: size that the file is to have, such as 200kB, 1.5MB or 300KiB; lambda is where its control begins.
        target_bpp: the same in bits for each pixel; one of both.
        target_time: time that encoding is to take, such as 90s, 10m or 1h30m.
        epochs: how often every frame is trained on; not with `target_time`, which decides it.
        size: size of the network: auto, or from xxs to l.
        frames: frames to take, as start:stop.
        device: auto, cpu, cuda or cuda:N.
        seed: of the start and of the order of training.
        force: replace an existing file.
        options: any further options of `nvrc fit`.

    Raises:
        InputError: the video, an option or the output cannot be used as asked, which is found out before training
            starts; a target is out of reach, which may show only then.
    """
    _check_paths(video, output)
    prepare(["fit", "--config", recipe, *options])  # tells what is wrong with the recipe before Lightning is imported
    _check_numbers(lmbda, epochs, target_time)
    words = ["fit", "--config", recipe, f"--data.path={video}", f"--data.frames={frames}"]
    words += _target_options(target_size, target_bpp, target_time) + _device_options(device)
    for option, value in (
        ("model.lmbda", lmbda),
        ("trainer.max_epochs", epochs),
        ("model.network.size", size),
        ("seed_everything", seed),
        ("data.seed", seed),
    ):
        words += [] if value is None else [f"--{option}={value}"]
    with (
        stopwatch.command(),
        atomic_path(output, force) as place,
        tempfile.TemporaryDirectory(prefix="nvrc-") as folder,
    ):
        logger = ["--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={folder}"]
        export = _train([*words, *logger, *options])
        place.write_bytes(export.file.read_bytes())
    assert export.result is not None
    return export.result


def _check_paths(video: str | Path, output: str | Path) -> None:
    """Refuse what is not there, and names that would not be kept.

    Raises:
        InputError: the video is missing, or the output has another suffix.
    """
    if str(video) not in PACKAGED and "{" not in str(video) and is_missing(video):
        raise InputError(f"{video}: no such file")
    if Path(output).suffix.lower() != ".nvrc":
        raise InputError(f"{output}: what is written is a .nvrc file; name it {Path(output).stem or 'video'}.nvrc")


def _check_numbers(lmbda: float | None, epochs: int | None, target_time: str | None) -> None:
    """Refuse what would only show later, or never.

    Raises:
        InputError: a number is out of range, or two options contradict each other.
    """
    if lmbda is not None and not 0 < lmbda < math.inf:
        raise InputError(f"lambda is {lmbda:g}; it must be above 0, and a larger one gives better pictures")
    if epochs is not None and epochs < 1:
        raise InputError(f"the number of epochs is {epochs}; it must be 1 or more")
    if epochs is not None and target_time is not None:
        raise InputError("give a number of epochs or a target time, which decides it, not both")


def _train(words: Sequence[str]) -> "BitstreamExport":
    """Train, and return what wrote the file.

    Raises:
        InputError: the recipe does not write one.
        KeyboardInterrupt: it was interrupted.
    """
    from nvrc_lightning.callbacks.export import BitstreamExport
    from nvrc_lightning.callbacks.lookup import callbacks_of
    from nvrc_lightning.training import train

    try:
        exports = callbacks_of(train(words).trainer, BitstreamExport)
    except KeyboardInterrupt as interrupt:  # or its kind
        raise type(interrupt)("nothing was written; 'nvrc fit' keeps checkpoints to go on from") from None
    if not exports or exports[-1].result is None:
        raise InputError("the recipe writes no file; add a BitstreamExport to its callbacks")
    return exports[-1]


def _target_options(size: str | None, bpp: float | None, duration: str | None) -> list[str]:
    """The callbacks that keep the targets.

    Raises:
        InputError: a target is none, or size and bits for each pixel are both given.
    """
    if size is not None and bpp is not None:
        raise InputError("give a target size or target bits for each pixel, not both")
    words = []
    if size is not None:
        parse_size(size)
        words += ["--trainer.callbacks+=RateControl", f"--trainer.callbacks.size={size}"]
    if bpp is not None:
        if not 0 < bpp < math.inf:
            raise InputError(f"target of {bpp:g} bits for each pixel: it must be above 0, such as 0.1")
        words += ["--trainer.callbacks+=RateControl", f"--trainer.callbacks.bpp={bpp}"]
    if duration is not None:
        parse_duration(duration)
        words += ["--trainer.callbacks+=TimeBudget", f"--trainer.callbacks.time={duration}"]
    return words


def _device_options(device: str) -> list[str]:
    """Which accelerator Lightning is to use.

    Raises:
        InputError: there is no such kind of device, or no such device here.
    """
    kind, _, index = device.partition(":")
    if kind not in _ACCELERATORS or not (index.isdigit() or not index):
        raise InputError(f"device {device!r} is not auto, cpu, cuda or cuda:N")
    if _ACCELERATORS[kind] == "gpu":
        from nvrc_lightning.decode import choose_device

        choose_device(device.replace("gpu", "cuda"))
    return [f"--trainer.accelerator={_ACCELERATORS[kind]}", f"--trainer.devices={f'[{index}]' if index else 1}"]
