"""Fraunhofer's VVC codec, by its programs `vvencapp` and `vvdecapp` where they are installed."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes, code_dtype, planes_to_rgb
from nvrc_components.video_format import Chroma, ColourRange, VideoFormat
from nvrc_lightning.data.source import to_samples
from nvrc_lightning.data.video import Video
from nvrc_lightning.data.y4m import open_y4m
from nvrc_lightning.evaluation.metrics import Scores, score

__all__ = ["CodedVvc", "VvencCodec", "decode_vvc", "encode_vvc"]

_GOP = 32  # pictures of vvenc's hierarchy; its intra period is a multiple
_WORST = 63


@dataclass(frozen=True)
class VvencCodec:
    """VVenC at one quantisation parameter, its perceptual adaptation off so that it is tuned for PSNR.

    Args:
        quality: quantisation parameter, 0..63; smaller is better and larger.
        preset: faster, fast, medium, slow or slower.
        threads: threads for encoding and for decoding.
        intra_period: frames from one intra frame to the next, a multiple of 32; 0 for none but the first.

    Raises:
        InputError: the programs are not installed, or a value is out of range.
    """

    quality: int
    preset: str = "slow"
    threads: int = 2
    intra_period: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work, before any work is done."""
        for program in ("vvencapp", "vvdecapp"):
            if not shutil.which(program):
                raise InputError(f"codec vvenc: {program} is not installed; install VVenC and VVdeC, or leave it out")
        if not 0 <= self.quality <= _WORST:
            raise InputError(f"codec vvenc: quality {self.quality} is not in 0..{_WORST}")
        if self.intra_period < 0 or self.intra_period % _GOP:
            raise InputError(f"codec vvenc: intra period {self.intra_period} is no multiple of {_GOP}")

    @property
    def variant(self) -> str:
        """What tells curves apart: preset and intra frames."""
        intra = f"intra every {self.intra_period} frames" if self.intra_period else "one intra frame"
        return f"{self.preset}, {intra}"

    def check(self, fmt: VideoFormat) -> None:
        """Refuse a video that the encoder cannot take.

        Raises:
            InputError: it has other than 8 or 10 bits, or a chroma format that is not coded.
        """
        if fmt.bit_depth not in (8, 10):
            raise InputError(f"vvenc codes 8 and 10 bits, the video has {fmt.bit_depth}; convert it first")
        if fmt.chroma not in (Chroma.RGB, Chroma.YUV420):
            raise InputError(f"vvenc codes 4:2:0 only, the video is {fmt.chroma.name}; choose x264 or x265")

    def options(self, fmt: VideoFormat) -> tuple[str, ...]:
        """Options of vvencapp, without input and output."""
        one_intra = _GOP * (fmt.frames // _GOP + 1)  # beyond the last frame
        words = {
            "size": f"{fmt.width}x{fmt.height}",
            "format": "yuv420" if fmt.bit_depth == 8 else "yuv420_10",
            "framerate": max(1, round(fmt.rate)),
            "frames": fmt.frames,
            "preset": self.preset,
            "qp": self.quality,
            "qpa": 0,
            "threads": self.threads,
            "intraperiod": self.intra_period or one_intra,
            "verbosity": 1,
        }
        return tuple(text for name, value in words.items() for text in (f"--{name}", str(value)))


@dataclass(frozen=True)
class CodedVvc:
    """One video at one quality.

    Args:
        coded_bytes: size of the .266 file.
        scores: quality of the frames decoded from it.
        encode_seconds: wall time of encoding.
        decode_seconds: wall time of decoding all frames to a file.
    """

    coded_bytes: int
    scores: Scores
    encode_seconds: float
    decode_seconds: float


def encode_vvc(video: Video, codec: VvencCodec, path: str | Path, force: bool = False) -> CodedVvc:
    """Code a video into a .266 file, decode that file again and measure it; RGB becomes 4:2:0 in limited range.

    Raises:
        InputError: the encoder cannot take this video, or the file cannot be written.
    """
    codec.check(video.format)
    fmt = _coded_format(video.format)
    with atomic_path(path, force=force) as temporary, tempfile.TemporaryDirectory(prefix="nvrc-") as folder:
        source = Path(folder) / "source.yuv"
        with source.open("wb") as file:
            for frame in zip(*video.to_yuv420(), strict=True):
                file.writelines(to_samples(plane, fmt.bit_depth).tobytes() for plane in frame)
        start = time.perf_counter()
        _run(["vvencapp", "--input", str(source), *codec.options(fmt), "--output", str(temporary)])
        encode_seconds = time.perf_counter() - start
        start = time.perf_counter()
        with _decoded(temporary, codec.threads) as y4m:
            decode_seconds = time.perf_counter() - start
            planes = _walk(y4m, fmt)
            is_rgb = video.format.chroma == Chroma.RGB
            scores = score((planes_to_rgb(frame, fmt) if is_rgb else frame for frame in planes), video)
        return CodedVvc(temporary.stat().st_size, scores, encode_seconds, decode_seconds)


def decode_vvc(path: Path, source: VideoFormat) -> Iterator[tuple[Planes, VideoFormat]]:
    """Frames of a .266 file, each (1, h, w) a plane, at the bit depth of what was coded, with what they mean.

    Raises:
        InputError: the decoder is not installed, or cannot decode the file.
    """
    fmt = _coded_format(source)
    with _decoded(path, threads=1) as y4m:
        yield from ((frame, fmt) for frame in _walk(y4m, fmt))


def _coded_format(fmt: VideoFormat) -> VideoFormat:
    """What is given to the encoder for a video of this format."""
    is_rgb = fmt.chroma == Chroma.RGB
    return replace(fmt, chroma=Chroma.YUV420, colour_range=ColourRange.LIMITED) if is_rgb else fmt


@contextmanager
def _decoded(path: Path, threads: int) -> Iterator[Path]:
    """The file's frames as Y4M, for a while."""
    with tempfile.TemporaryDirectory(prefix="nvrc-") as folder:
        y4m = Path(folder) / "decoded.y4m"
        _run(["vvdecapp", "-b", str(path), "-o", str(y4m), "-t", str(threads), "-v", "1"])
        yield y4m


def _walk(y4m: Path, fmt: VideoFormat) -> Iterator[Planes]:
    """Frames of a Y4M file at the format's bit depth: VVenC codes 8 bits with 10."""
    source = open_y4m(y4m)
    shift = source.frame_format.bit_depth - fmt.bit_depth
    for y, u, v in source.walk(0):
        yield _rounded(y[None], shift, fmt), _rounded(u[None], shift, fmt), _rounded(v[None], shift, fmt)


def _rounded(plane: Tensor, shift: int, fmt: VideoFormat) -> Tensor:
    """Code values with so many bits less."""
    half = (1 << shift) >> 1
    return ((plane.int() + half) >> shift).clamp(max=fmt.peak).to(code_dtype(fmt.bit_depth))


def _run(command: Sequence[str]) -> None:
    """Run a program that must succeed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise InputError(f"{command[0]}: cannot be run ({error.strerror}); install VVenC and VVdeC") from error
    if done.returncode:
        said = (f"{done.stdout}\n{done.stderr}".strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"{command[0]} ended with exit code {done.returncode} ({said})")
