"""What each command but `bench` does with its words: options in, one call of a Python function.

What takes seconds to import is left until the options were looked at, so that mistakes are told at once.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from nvrc_components.errors import InputError
from nvrc_lightning.arguments import prepare
from nvrc_lightning.encode import encode
from nvrc_lightning.suggestions import did_you_mean

__all__ = ["run"]

_FIT_OPTION = re.compile(r"--(data|model|trainer)\.[\w.]+\+?=")


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the options.

        Raises:
            InputError: always.
        """
        known = [text for action in self._actions for text in action.option_strings]
        _, _, unknown = message.partition("unrecognized arguments: ")
        hints = (did_you_mean(word.partition("=")[0], known) for word in unknown.split() if word.startswith("-"))
        raise InputError(f"{message}{''.join(hints)}; '{self.prog} --help' lists all")

    def check(self, further: Sequence[str], allowed: re.Pattern[str]) -> None:
        """Refuse words that are neither options of this program nor, with '=', of `nvrc fit`.

        Raises:
            InputError: there is one.
        """
        unknown = [word for word in further if not allowed.match(word)]
        for word in unknown:
            if "=" not in word and allowed.match(f"{word}="):
                raise InputError(f"{word}: options of 'nvrc fit' take their value after '=', as in {word}=VALUE")
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")


def run(command: str, arguments: Sequence[str]) -> None:
    """Do what the words after the command ask for."""
    if command in ("fit", "validate", "test"):
        _train(command, arguments)
    else:
        {"encode": _encode, "decode": _decode, "info": _info}[command](arguments)


def _encode(arguments: Sequence[str]) -> None:
    parser = _parser("encode", "Fit a network to a video and write it as a .nvrc file.")
    parser.add_argument("video", metavar="IN", help="video file, folder of PNG, glob, or 'bunny'")
    parser.add_argument("output", metavar="OUT", help="the .nvrc file")
    parser.add_argument(
        "--recipe", default="nvrc_lite", help="recipe (default: nvrc_lite), overlays behind it: nvrc+budget/short"
    )
    parser.add_argument(
        "--lambda", dest="lmbda", type=float, help="quality: a larger lambda gives better pictures and a larger file"
    )
    parser.add_argument("--target-size", metavar="SIZE", help="size that the file is to have: 200kB, 1.5MB, 300KiB")
    parser.add_argument("--target-bpp", type=float, metavar="BPP", help="the same, in bits for each pixel")
    parser.add_argument("--target-time", metavar="TIME", help="time that encoding is to take: 90s, 10m, 1h30m")
    parser.add_argument("--epochs", type=int, help="how often every frame is trained on; not with --target-time")
    parser.add_argument("--size", help="size of the network: auto, xxs, xs, s, m, l")
    parser.add_argument("--frames", default=":", metavar="A:B", help="frames A..B-1 of the video")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    parser.add_argument("--seed", type=int, help="of the start and of the order of training")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.epilog = (
        "Options of 'nvrc fit' may be given too, with '=': --data.raw.width=352 --trainer.precision=bf16-mixed"
    )
    options, further = parser.parse_known_args(arguments)
    parser.check(further, _FIT_OPTION)
    encode(**vars(options), options=tuple(further))
    print(f"wrote {options.output}")


def _decode(arguments: Sequence[str]) -> None:
    parser = _parser("decode", "Turn a .nvrc file into a video.")
    parser.add_argument("path", metavar="FILE", help="the .nvrc file")
    parser.add_argument("output", metavar="OUT", help=".y4m, .mkv (lossless), .mp4, or a folder for PNG pictures")
    parser.add_argument(
        "--frames", default=":", metavar="A:B", help="frames A..B-1 only; PNG pictures keep the frames' numbers"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, mps")
    parser.add_argument("--force", action="store_true", help="replace what exists")
    options = parser.parse_args(arguments)
    from nvrc_lightning.data.options import Selection
    from nvrc_lightning.decode import decode

    wanted = Selection.parse(options.frames)
    fmt = decode(
        options.path,
        options.output,
        frames=(wanted.start, wanted.stop),
        device=options.device,
        force=options.force,
        progress=sys.stderr.isatty(),
    )
    print(f"{options.output}: {fmt.frames} frames of {fmt.width}x{fmt.height}")


def _info(arguments: Sequence[str]) -> None:
    parser = _parser("info", "Show what a .nvrc file holds and what it costs.")
    parser.add_argument("path", metavar="FILE", help="the .nvrc file")
    options = parser.parse_args(arguments)
    from nvrc_lightning.info import describe, print_description

    print_description(describe(options.path))


def _train(command: str, arguments: Sequence[str]) -> None:
    words = prepare([command, *arguments])
    from nvrc_lightning import training

    training.run(words)


def _parser(command: str, description: str) -> Parser:
    return Parser(prog=f"nvrc {command}", description=description, allow_abbrev=False)
