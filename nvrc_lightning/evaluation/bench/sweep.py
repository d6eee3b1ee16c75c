"""From videos to curves: every codec and recipe at every setting, point by point, so that a killed sweep goes on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from nvrc_components.errors import InputError
from nvrc_lightning.data.options import NO_GEOMETRY, RawGeometry
from nvrc_lightning.evaluation.bench.coders import Coder, ConventionalCoder, VvencCoder
from nvrc_lightning.evaluation.bench.comparison import write_bd_rates
from nvrc_lightning.evaluation.bench.exclusion import sole_use
from nvrc_lightning.evaluation.bench.literature import complete_geometry, expect_file, literature, remarks
from nvrc_lightning.evaluation.bench.point import POINTS, STREAMS, Point, read_point, read_points
from nvrc_lightning.evaluation.bench.processes import run_apart
from nvrc_lightning.evaluation.bench.recipe_coder import RecipeCoder
from nvrc_lightning.evaluation.bench.reference import (
    REFERENCES,
    Reference,
    open_reference,
    read_references,
    write_reference,
)
from nvrc_lightning.evaluation.bench.tables import write_tables
from nvrc_lightning.evaluation.bench.worker import Task
from nvrc_lightning.evaluation.encoders import CODECS, ConventionalCodec
from nvrc_lightning.evaluation.vvenc import VvencCodec
from nvrc_lightning.suggestions import did_you_mean

__all__ = ["bench"]

_VVENC_QUALITIES = (24, 28, 32, 36, 40)


def bench(
    videos: Sequence[str | Path],
    out: str | Path,
    *,
    codecs: Sequence[str] = ("x264", "x265", "svtav1"),
    qualities: Mapping[str, Sequence[int]] | None = None,
    presets: Mapping[str, str] | None = None,
    intra_periods: Sequence[int] = (0,),
    threads: int = 2,
    recipes: Sequence[str] = (),
    lambdas: Sequence[float] = (2, 8, 32, 128),
    epochs: int = 0,
    size: str = "",
    seed: int = -1,
    device: str = "auto",
    options: Sequence[str] = (),
    frames: str = ":",
    raw: RawGeometry = NO_GEOMETRY,
    report: bool = True,
    progress: bool = True,
) -> tuple[Point, ...]:
    """Code videos with conventional codecs and with recipes, decode the files, measure them, and write tables.

    A point that is in the folder with the same settings is kept; one whose settings changed is made again, and every
    point has a process of its own. So a sweep that was killed goes on where it was, and its points.csv is the same
    as if it had not been. Points of earlier sweeps into the same folder stay and are in the tables, too.

    Args:
        videos: video files, folders of PNG or globs; "bunny" is the clip that comes with the package.
        out: the folder; see `point`, `reference` and `tables` for what lies in it.
        codecs: conventional codecs: x264, x265, svtav1, vp9, and vvenc where its programs are installed.
        qualities: constant rate factors of a codec, for vvenc quantisation parameters, by its name, where not the
            usual ones.
        presets: preset of a codec, by its name, where not the slow one customary in papers.
        intra_periods: frames from one intra frame to the next, each a curve of its own; 0 is one intra frame.
        threads: threads of conventional encoders and decoders.
        recipes: names or paths of recipes, overlays behind them: "nvrc+sizes/s1".
        lambdas: points of the recipes' curves.
        epochs: how often a recipe trains on every frame; 0 for what it says.
        size: size of the recipes' networks; empty for what they say.
        seed: of the recipes' random numbers; negative for what they say.
        device: what recipes are trained on: auto, cpu, cuda or cuda:N.
        options: further options of `nvrc fit` for all recipes.
        frames: frames to take of each video, as start:stop.
        raw: geometry of headerless files.
        report: write the HTML report.
        progress: tell on stdout how it goes.

    Returns:
        The points that were asked for: by video, codec and variant, along each curve from low to high rate.

    Raises:
        InputError: something cannot be used as asked, which is found out before any work is done; or points could
            not be made, which is told when all others are.
        RuntimeError: a process had a defect, which is told when all other points are made.
    """
    coders = (
        *_conventional(codecs, qualities or {}, presets or {}, intra_periods, threads),
        *(
            RecipeCoder(recipe, float(lmbda), epochs, size, seed, device, tuple(options))
            for recipe, lmbda in product(recipes, lambdas)
        ),
    )
    folder = Path(out)
    references = [_open(str(video), folder, frames, raw) for video in videos]
    tasks = [Task(reference, coder, folder) for reference, coder in product(references, coders)]
    _check(tasks)
    _prepare(folder)
    with sole_use(folder):
        _clear(folder)
        for reference in references:
            write_reference(reference, folder)
            for remark in remarks(reference) if progress else ():
                print(remark, flush=True)
        failures = _make(tasks, progress)
        points = read_points(folder)
        write_tables(points, folder)
        write_bd_rates(points, folder, literature(read_references(folder).values()))
        if report and points:
            _write_report(folder)
    _tell(failures, len(tasks))
    wanted = {task.stream for task in tasks}
    return tuple(point for point in points if point.stream in wanted)


def _conventional(
    codecs: Sequence[str],
    qualities: Mapping[str, Sequence[int]],
    presets: Mapping[str, str],
    intra_periods: Sequence[int],
    threads: int,
) -> Iterator[Coder]:
    """A coder for each codec, intra period and quality."""
    known = (*CODECS, "vvenc")
    for name in codecs:
        if name not in known:
            raise InputError(f"codec {name}: not known{did_you_mean(name, known)} (codecs: {', '.join(known)})")
    for name in (*qualities, *presets):
        if name not in codecs:
            raise InputError(f"codec {name}: settings are given for it, but it is not among the codecs")
    for name, period in product(codecs, intra_periods):
        usual = _VVENC_QUALITIES if name == "vvenc" else CODECS[name].qualities
        for quality in qualities.get(name, usual):
            if name == "vvenc":
                yield VvencCoder(VvencCodec(quality, presets.get(name, "slow"), threads, period))
            else:
                yield ConventionalCoder(ConventionalCodec(name, quality, presets.get(name, ""), threads, period))


def _prepare(folder: Path) -> None:
    """Make the folder."""
    try:
        for name in (POINTS, STREAMS, REFERENCES):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be used as a folder ({error.strerror}); choose another") from error


def _clear(folder: Path) -> None:
    """Clear away what a killed sweep left half-written."""
    for name in (POINTS, STREAMS, REFERENCES):
        for rest in (folder / name).rglob(".*.part*"):
            rest.unlink(missing_ok=True)


def _open(path: str, folder: Path, frames: str, raw: RawGeometry) -> Reference:
    """The video of this path, described."""
    expect_file(path)
    return open_reference(path, folder, frames, complete_geometry(path, raw))[0]


def _check(tasks: Sequence[Task]) -> None:
    """Refuse what cannot work, and what would overwrite itself."""
    if not tasks:
        raise InputError("nothing to do; give videos, and codecs or recipes with lambdas")
    seen: set[str] = set()
    for task in tasks:
        task.coder.check(task.reference)
        if task.stream in seen:
            raise InputError(f"{task.reference.video}: {task.name} is asked for twice; rename one, or leave it out")
        seen.add(task.stream)


def _make(tasks: Sequence[Task], progress: bool) -> list[tuple[Task, Exception]]:
    """Make the points that are not there; the tasks that failed, with what went wrong."""
    failures: list[tuple[Task, Exception]] = []
    for number, task in enumerate(tasks, 1):
        if progress:
            print(f"[{number}/{len(tasks)}] {task.reference.video}: {task.name}", flush=True)
        try:
            kept = _kept(task)
            point = kept or _made(task, progress)
        except KeyboardInterrupt as interrupt:  # or its kind
            raise type(interrupt)("all points before are kept; the same command goes on") from None
        except (InputError, RuntimeError) as error:
            failures.append((task, error))
            if progress:
                print(f"  failed: {error}", flush=True)
            continue
        if progress:
            scores = point.result.scores
            print(
                f"  {'kept: ' if kept else ''}{point.result.rate.bpp:.4f} bit/pixel, PSNR-RGB {scores.psnr_rgb:.2f} dB",
                flush=True,
            )
    return failures


def _tell(failures: Sequence[tuple[Task, Exception]], total: int) -> None:
    """Raise what went wrong, if anything did: a defect as it is, mistakes in one line."""
    for _, error in failures:
        if isinstance(error, RuntimeError):
            raise error
    for task, error in failures:
        raise InputError(
            f"{len(failures)} of {total} points could not be made; the first: "
            f"{task.reference.video}: {task.name}: {error}"
        ) from error


def _kept(task: Task) -> Point | None:
    """The point of an earlier sweep, if it was made with the same settings and its file is there."""
    path = task.folder / POINTS / task.path(".json")
    if not path.is_file():
        return None
    point = read_point(path)
    is_same = dict(point.settings) == dict(task.coder.settings) and (task.folder / point.stream).is_file()
    return point if is_same else None


def _made(task: Task, progress: bool) -> Point:
    """The point, made by a process of its own."""
    run_apart(task, progress)
    return read_point(task.folder / POINTS / task.path(".json"))


def _write_report(folder: Path) -> None:
    from nvrc_lightning.evaluation.report.report import write_report

    write_report(folder)
