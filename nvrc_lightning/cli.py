"""The `nvrc` program: finds out which command is meant, and turns whatever ends it into one line and an exit code.

Nothing heavy is imported here, so that help and mistakes in the command answer at once.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final, NamedTuple, cast

from nvrc_components.errors import InputError, NvrcError
from nvrc_lightning import stopwatch
from nvrc_lightning.host_memory import is_out_of_memory, keep_freed_memory
from nvrc_lightning.suggestions import did_you_mean
from nvrc_lightning.termination import Terminated, unwound

__all__ = ["main"]


class Command(NamedTuple):
    """A word after `nvrc`: what it does, and the module whose `run(command, arguments)` does it."""

    summary: str
    module: str


COMMANDS: Final = {
    "encode": Command("compress a video into a .nvrc file", "nvrc_lightning.commands"),
    "decode": Command("turn a .nvrc file back into a video", "nvrc_lightning.commands"),
    "info": Command("show what a .nvrc file holds and what it costs", "nvrc_lightning.commands"),
    "bench": Command(
        "compare codecs and recipes by their rate-distortion curves", "nvrc_lightning.evaluation.bench_command"
    ),
    "fit": Command("train with a recipe, write and check the file, keep the run's folder", "nvrc_lightning.commands"),
    "validate": Command("score a checkpoint's frames", "nvrc_lightning.commands"),
    "test": Command("score a checkpoint's frames, as a test", "nvrc_lightning.commands"),
}

EXIT_INPUT: Final = 2
EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143
"""128 + SIGINT and 128 + SIGTERM, as shells have it."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Args:
        args: the words after the program's name; by default those of this process.

    Returns:
        0; 2 after one line on stderr where the input was at fault; 130 after Ctrl-C, 143 after SIGTERM. Defects keep
        their traceback.
    """
    try:
        with stopwatch.command(), unwound(), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _dispatch(list(sys.argv[1:] if args is None else args))
    except NvrcError as error:
        _say("error", error)
        return EXIT_INPUT
    except KeyboardInterrupt as interrupt:
        terminated = isinstance(interrupt, Terminated)
        what = "terminated" if terminated else "interrupted"
        print(f"nvrc: {what}; {str(interrupt) or 'nothing was written'}", file=sys.stderr)
        return EXIT_TERMINATED if terminated else EXIT_INTERRUPTED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        _say("error", f"there is not enough memory: {error}")
        return EXIT_INPUT
    except SystemExit as request:  # argument parsers end this way after printing help or a configuration
        return request.code if isinstance(request.code, int) else 0


def _say(kind: str, message: object) -> None:
    """Put a message on stderr, as one line."""
    print(f"nvrc: {kind}: {' '.join(str(message).split())}", file=sys.stderr)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning without the place in the code that it comes from, in which nobody can act on it."""
    _say("warning", message)


def _dispatch(arguments: list[str]) -> int:
    """Answer help and version, or hand over to the command."""
    word = arguments[0] if arguments else "--help"
    if word in ("-h", "--help", "help"):
        print(_help())
        return 0
    if word == "--version":
        print(f"nvrc {version('nvrc-lightning')}")
        return 0
    if word not in COMMANDS:
        raise InputError(f"unknown command {word!r}{did_you_mean(word, COMMANDS)}; 'nvrc --help' lists all")
    keep_freed_memory()
    run = cast(Callable[[str, list[str]], None], import_module(COMMANDS[word].module).run)
    run(word, arguments[1:])
    return 0


def _help() -> str:
    """The overview, one line for each command."""
    lines = [f"  {name:<10}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: nvrc COMMAND ...",
            "",
            "Neural video compression: a small network is fitted to one video, and its parameters are the file.",
            "",
            *lines,
            "",
            "'nvrc COMMAND --help' tells more, 'nvrc --version' the version.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
