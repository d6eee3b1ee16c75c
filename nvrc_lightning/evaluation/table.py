"""A result as a table for people, at most 80 columns wide."""

import math
from collections.abc import Iterator

from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nvrc_lightning.evaluation.metrics import Scores
from nvrc_lightning.evaluation.result import Cost, Rate, Result, Run

__all__ = ["duration", "print_table", "result_table"]

_WIDTH = 80
_SHOWN_SECTIONS = 6


def print_table(result: Result, console: Console | None = None) -> None:
    """Print a result; without a terminal it is plain text of the same width."""
    console = console or Console()
    console.print(result_table(result), width=min(console.width, _WIDTH))


def result_table(result: Result) -> Table:
    """The table itself, for whoever has a console of their own."""
    table = Table(
        title=Text.assemble((result.video, "bold"), "  ", (result.codec, "cyan")),
        box=ROUNDED,
        show_header=False,
        width=_WIDTH,
        title_justify="left",
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1, style="dim")
    rows = (_rate(result.rate), _scores(result.scores), _cost(result.cost), _run(result.run))
    for block in rows:
        for row in block:
            table.add_row(*(Text(cell) for cell in row))
        table.add_section()
    return table


def _rate(rate: Rate) -> Iterator[tuple[str, str, str]]:
    """Bytes and bits per pixel, the sections, and the estimate."""
    yield "File", f"{rate.file_bytes:,} B", f"{rate.bpp:.4f} bit/pixel"
    largest = sorted(rate.sections.items(), key=lambda item: -item[1])
    for name, size in largest[:_SHOWN_SECTIONS]:
        yield f"  {name}", f"{size:,} B", f"{100 * size / rate.file_bytes:.1f} % of the file"
    if rest := largest[_SHOWN_SECTIONS:]:
        yield f"  {len(rest)} more", f"{sum(size for _, size in rest):,} B", "smaller sections"
    error, percent = rate.estimate_error_bytes, rate.estimate_error_percent
    if error is not None and percent is not None:
        yield "Estimate", f"{rate.estimated_bytes:,.0f} B", f"file {error:+,.0f} B ({percent:+.2f} %)"


def _scores(scores: Scores) -> Iterator[tuple[str, str, str]]:
    """PSNR and MS-SSIM, or why there is none."""
    frames = f"mean of {scores.frames} frames"
    worst = min(scores.psnr_rgb_per_frame)
    yield "PSNR-RGB", _decibel(scores.psnr_rgb), f"{frames}; worst {_decibel(worst)}"
    if "psnr_yuv611" in scores.undefined:
        yield "PSNR-YUV 6:1:1", "undefined", f"({scores.undefined['psnr_yuv611']})"
    else:
        planes = " ".join(f"{value:.2f}" for value in (scores.psnr_y, scores.psnr_u, scores.psnr_v))
        yield "PSNR-YUV 6:1:1", _decibel(scores.psnr_yuv611), f"Y U V {planes}"
    if "ms_ssim_rgb" in scores.undefined:
        yield "MS-SSIM-RGB", "undefined", f"({scores.undefined['ms_ssim_rgb']})"
    else:
        yield "MS-SSIM-RGB", f"{scores.ms_ssim_rgb:.4f}", f"{frames}"


def _cost(cost: Cost) -> Iterator[tuple[str, str, str]]:
    """Times, memory, parameters and arithmetic."""
    phases = ", ".join(f"{name} {duration(value)}" for name, value in cost.encode_seconds.items())
    yield "Encode", duration(cost.total_encode_seconds), phases
    yield "Decode", duration(cost.decode_seconds), f"{cost.decode_fps:.1f} frame/s"
    if cost.peak_memory_mib is not None:
        yield "Peak memory", f"{cost.peak_memory_mib:,.0f} MiB", ""
    if cost.parameters is not None:
        macs = "" if cost.macs_per_pixel is None else f"{cost.macs_per_pixel / 1000:,.2f} kMAC/pixel"
        yield "Parameters", f"{cost.parameters:,}", macs


def _run(run: Run) -> Iterator[tuple[str, str, str]]:
    """Machine, seed, commit and versions."""
    machine = run.machine
    yield "Device", machine.device, f"{machine.cpu}, {machine.threads} of {machine.cores} threads"
    commit, _, changed = (run.commit or "unknown").partition("-")
    yield (
        "Seed",
        "none" if run.seed is None else str(run.seed),
        f"commit {commit[:12]}{' with changes' * bool(changed)}",
    )
    yield "Versions", "", ", ".join(f"{name} {version}" for name, version in run.versions.items())


def _decibel(value: float) -> str:
    """A PSNR in words."""
    return "identical" if math.isinf(value) else f"{value:.2f} dB"


def duration(seconds: float) -> str:
    """Seconds as a person would say them: 0.42 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    if seconds < 3599.5:
        return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"
    return f"{round(seconds / 60) // 60} h {round(seconds / 60) % 60:02d} min"
