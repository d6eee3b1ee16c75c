"""The points of a bench as tidy tables: what is the same whenever it is measured, and what is not."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nvrc_components.atomic import atomic_path
from nvrc_lightning.evaluation.bench.point import Point

__all__ = ["COST_COLUMNS", "POINT_COLUMNS", "write_table", "write_tables"]

POINT_COLUMNS: Mapping[str, str] = {
    "video": "name of the source, with its frames behind it where not all were taken",
    "codec": "x264, x265, svtav1, vp9, vvenc, or the name of a recipe",
    "variant": "what sets curves of a codec apart: preset and intra frames, epochs and size",
    "setting": "where on the curve: constant rate factor, quantisation parameter, lambda",
    "frames": "number of frames",
    "pixels": "frames times height times width",
    "bytes": "of the coded video; what is counted stands in the point's JSON",
    "bpp": "bits of those for each pixel of the source",
    "estimated_bytes": "what training predicted for the file; empty for codecs that predict nothing",
    "psnr_rgb": "dB, mean over frames",
    "psnr_yuv611": "dB, (6 Y + U + V) / 8",
    "psnr_y": "dB, mean over frames",
    "psnr_u": "dB, mean over frames",
    "psnr_v": "dB, mean over frames",
    "ms_ssim_rgb": "mean over frames",
    "ms_ssim_y": "mean over frames",
    "vmaf": "mean over frames; empty without the program",
    "parameters": "of the network; empty for codecs without one",
    "macs_per_pixel": "multiply-accumulates to decode a pixel; empty for codecs without a network",
    "seed": "of the random numbers; empty for codecs without any",
    "stream": "the coded file, relative to this table",
}
"""Columns of points.csv and what they hold. A score that is not defined is an empty cell."""

COST_COLUMNS: Mapping[str, str] = {
    **{name: POINT_COLUMNS[name] for name in ("video", "codec", "variant", "setting")},
    "encode_seconds": "wall time of encoding",
    "decode_seconds": "wall time from opening the file to its last frame",
    "decode_fps": "frames decoded in a second",
    "peak_memory_mib": "most memory of the process that made the point, the source in it",
    "device": "what did the work",
    "cpu": "model of the processor",
    "threads": "threads it used",
    "system": "operating system and architecture",
    "commit": "of the source tree",
    "versions": "of Python and packages",
}
"""Columns of costs.csv and what they hold: whatever another run of the same sweep gives otherwise."""


def write_tables(points: Sequence[Point], folder: str | Path) -> None:
    """Write points.csv and costs.csv into the folder of a bench; the first is the same for the same points.

    Raises:
        InputError: they cannot be written.
    """
    write_table(Path(folder) / "points.csv", POINT_COLUMNS, map(_point_row, points))
    write_table(Path(folder) / "costs.csv", COST_COLUMNS, map(_cost_row, points))


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a CSV file, whole or not at all; one that is there is replaced.

    Raises:
        InputError: it cannot be written.
    """
    with atomic_path(path, force=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _point_row(point: Point) -> dict[str, str]:
    rate, scores, cost = point.result.rate, point.result.scores, point.result.cost
    figures = {
        "psnr_rgb": 4,
        "psnr_yuv611": 4,
        "psnr_y": 4,
        "psnr_u": 4,
        "psnr_v": 4,
        "ms_ssim_rgb": 6,
        "ms_ssim_y": 6,
        "vmaf": 4,
    }
    return {
        **_identity(point),
        "frames": str(scores.frames),
        "pixels": str(rate.pixels),
        "bytes": str(rate.file_bytes),
        "bpp": f"{rate.bpp:.6f}",
        "estimated_bytes": _number(rate.estimated_bytes, 0),
        **{name: _number(getattr(scores, name), digits) for name, digits in figures.items()},
        "parameters": _number(cost.parameters, 0),
        "macs_per_pixel": _number(cost.macs_per_pixel, 1),
        "seed": _number(point.result.run.seed, 0),
        "stream": point.stream,
    }


def _cost_row(point: Point) -> dict[str, str]:
    cost, run = point.result.cost, point.result.run
    return {
        **_identity(point),
        "encode_seconds": f"{cost.total_encode_seconds:.3f}",
        "decode_seconds": f"{cost.decode_seconds:.3f}",
        "decode_fps": f"{cost.decode_fps:.2f}",
        "peak_memory_mib": _number(cost.peak_memory_mib, 0),
        "device": run.machine.device,
        "cpu": run.machine.cpu,
        "threads": str(run.machine.threads),
        "system": run.machine.system,
        "commit": run.commit or "",
        "versions": "; ".join(f"{name} {version}" for name, version in run.versions.items()),
    }


def _identity(point: Point) -> dict[str, str]:
    return {name: getattr(point, name) for name in ("video", "codec", "variant", "setting")}


def _number(value: float | None, digits: int) -> str:
    """The number, or an empty cell where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"
