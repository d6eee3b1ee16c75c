"""`nvrc bench`: options in, one call of `bench`."""

import re
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence

from nvrc_lightning.commands import Parser

__all__ = ["run"]

_DESCRIPTION = """\
Code videos with conventional codecs and with recipes, decode the files, measure all alike, and write into --out:

  report.html   curves, BD-rates, times, bit budgets and pictures, in one file
  points.csv    rate and quality, a row for each point; the same whenever the same sweep is made
  costs.csv     times, memory, machine and versions of the same points
  bd_rate.csv   every curve against every other, and against published ones of a known sequence
  points/       the points with all their settings, as JSON; streams/ has the coded files

A killed sweep goes on when the same command is given again; other settings add their points to the folder."""

_EPILOG = """\
Options of 'nvrc fit' may be given for all recipes, with '=':
  --model.rates.grids=0.02 --trainer.precision=bf16-mixed
and for all codecs the geometry of raw files and the colour matrix of videos that note none:
  --data.raw.width=1920 --data.raw.height=1080 --data.raw.matrix=BT709

examples:
  nvrc bench clip.mp4 --out results --recipes nvrc_lite --lambdas 2,8,32,128 --epochs 50
  nvrc bench a.mp4 b.mp4 --out results --codecs x265,svtav1 --qualities x265=20,26,32 --intra-periods 0,32
  nvrc bench UVG/*.yuv --out uvg --recipes nvrc+sizes/s1,nvrc+sizes/s2 --device cuda"""

# Options of the data that choose other pixels would leave nothing to compare.
_FIT_OPTION = re.compile(r"--(data\.(raw\.\w+|patch|batch_size|seed)|model\.[\w.]+|trainer\.[\w.]+)\+?=")
_RAW = "--data.raw."
_TARGET = "--target-"


def run(command: str, arguments: Sequence[str]) -> None:
    """Do what the words after `nvrc bench` ask for."""
    parser = _parser()
    options, further = parser.parse_known_args(arguments)
    if targets := [word.partition("=")[0] for word in further if word.startswith(_TARGET)]:
        parser.error(f"{targets[0]} is for 'nvrc encode'; points of a bench are set by --lambdas and --qualities")
    parser.check(further, _FIT_OPTION)
    raw = [word.removeprefix(_RAW) for word in further if word.startswith(_RAW)]
    words = [word for word in further if not word.startswith(_RAW)]
    from nvrc_lightning.evaluation.bench.geometry import parse_geometry
    from nvrc_lightning.evaluation.bench.sweep import bench

    options.qualities, options.presets = dict(options.qualities), dict(options.presets)
    points = bench(**vars(options), options=tuple(words), raw=parse_geometry(raw))
    print(f"{options.out}: {len(points)} points")


def _parser() -> Parser:
    parser = Parser(
        prog="nvrc bench",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO", help="video file, folder of PNG, glob, or 'bunny'")
    add("--out", required=True, metavar="DIR", help="folder of the results; made if it is not there")
    _add_codecs(parser)
    add(
        "--intra-periods",
        type=_integers,
        default=(0,),
        metavar="A,B",
        help="frames from one intra frame to the next, each a curve of its own; 0 (the default) is one intra frame",
    )
    add("--threads", type=int, default=2, help="threads of conventional encoders and decoders (default: 2)")
    _add_recipes(parser)
    add("--frames", default=":", metavar="A:B", help="frames A..B-1 of each video")
    add("--no-report", dest="report", action="store_false", help="write the tables only")
    return parser


def _add_codecs(parser: Parser) -> None:
    """Which conventional codecs, and how."""
    add = parser.add_argument
    codecs = "x264, x265, svtav1, vp9, and vvenc where vvencapp and vvdecapp are installed"
    add(
        "--codecs",
        type=_words,
        default=("x264", "x265", "svtav1"),
        metavar="A,B",
        help=f"of {codecs}; '' for none (default: x264,x265,svtav1)",
    )
    add(
        "--qualities",
        type=_numbers_of_codec,
        action="append",
        default=[],
        metavar="CODEC=A,B",
        help="constant rate factors (vvenc: quantisation parameters) of a codec, instead of its five usual ones",
    )
    add(
        "--presets",
        type=_word_of_codec,
        action="append",
        default=[],
        metavar="CODEC=PRESET",
        help="preset of a codec, instead of the slow one customary in papers",
    )


def _add_recipes(parser: Parser) -> None:
    """Which recipes, and how."""
    add = parser.add_argument
    add(
        "--recipes",
        type=_words,
        default=(),
        metavar="A,B",
        help="recipes, overlays behind them: nvrc+sizes/s1 (default: none)",
    )
    add(
        "--lambdas",
        type=_numbers,
        default=(2.0, 8.0, 32.0, 128.0),
        metavar="A,B",
        help="points of the recipes' curves (default: 2,8,32,128)",
    )
    add("--epochs", type=int, default=0, help="how often a recipe trains on every frame, instead of what it says")
    add("--size", default="", help="size of the recipes' networks, instead of what they say")
    add("--seed", type=int, default=-1, help="of the recipes' start and order of training, instead of what they say")
    add("--device", default="auto", help="what recipes are trained on: auto, cpu, cuda, cuda:N")


def _words(text: str) -> tuple[str, ...]:
    """Words between commas."""
    return tuple(word for word in text.split(",") if word)


def _integers(text: str) -> tuple[int, ...]:
    """Whole numbers between commas."""
    try:
        return tuple(int(word) for word in _words(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not whole numbers with commas between them") from None


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas."""
    try:
        return tuple(float(word) for word in _words(text))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not numbers with commas between them") from None


def _word_of_codec(text: str) -> tuple[str, str]:
    """CODEC=WORD."""
    codec, _, word = text.partition("=")
    if not codec or not word:
        raise ArgumentTypeError(f"{text!r} is not a codec, '=' and what is meant for it")
    return codec, word


def _numbers_of_codec(text: str) -> tuple[str, tuple[int, ...]]:
    """CODEC=A,B."""
    codec, word = _word_of_codec(text)
    return codec, _integers(word)
