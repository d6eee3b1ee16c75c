"""VMAF, by the `vmaf` program of libvmaf where it is installed."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nvrc_components.errors import InputError
from nvrc_lightning.data.video import Video
from nvrc_lightning.data.writer import write_video
from nvrc_lightning.evaluation.metrics import Decoded

__all__ = ["measure_vmaf", "vmaf_program"]


def vmaf_program() -> str:
    """Where the program is; empty if it is not installed."""
    return shutil.which("vmaf") or ""


def measure_vmaf(decoded: Iterable[Decoded], source: Video) -> float:
    """VMAF of a decoded video by the program's default model: its mean over frames, 0 to 100.

    Both videos go to the program as Y4M, RGB as 4:4:4.

    Args:
        decoded: all frames in order, in chunks of any length.
        source: the video that was coded.

    Raises:
        InputError: the program is not installed, or does not do what it should.
    """
    program = vmaf_program()
    if not program:
        raise InputError("vmaf is not installed; install libvmaf's program of this name, or do without VMAF")
    with tempfile.TemporaryDirectory(prefix="nvrc-") as folder:
        reference, distorted, report = (Path(folder) / name for name in ("source.y4m", "decoded.y4m", "vmaf.json"))
        write_video([source.planes], source.format, reference)
        write_video(decoded, source.format, distorted)
        command = [program, "--reference", str(reference), "--distorted", str(distorted), "--output", str(report)]
        done = subprocess.run([*command, "--json", "--quiet"], capture_output=True, text=True, check=False)
        try:
            return float(json.loads(report.read_text(encoding="utf-8"))["pooled_metrics"]["vmaf"]["mean"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise InputError(f"{program}: measured nothing ({said}); take it out of PATH to do without VMAF") from error
