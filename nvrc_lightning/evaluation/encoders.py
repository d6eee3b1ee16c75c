"""The conventional encoders that come with PyAV, and how each is told the same thing."""

from collections.abc import Callable
from dataclasses import dataclass

import av

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma

__all__ = ["CODECS", "ConventionalCodec", "Encoder"]


@dataclass(frozen=True)
class Encoder:
    """FFmpeg's name of an encoder, its default preset and quality scale, and what else it must be told.

    ``is_sei`` tells from the first byte of a NAL unit whether it is a SEI message; None for AV1, which has none.
    """

    library: str
    preset: str
    worst: int
    options: dict[str, str]
    parameters: str
    is_sei: Callable[[int], bool] | None
    chroma: tuple[Chroma, ...] = (Chroma.YUV420, Chroma.YUV422, Chroma.YUV444)


CODECS = {
    "x264": Encoder(
        library="libx264",
        preset="veryslow",
        worst=51,
        options={"tune": "psnr"},
        parameters="x264-params=keyint=infinite:threads={threads}",
        is_sei=lambda byte: byte & 31 == 6,
    ),
    "x265": Encoder(
        library="libx265",
        preset="veryslow",
        worst=51,
        options={"tune": "psnr"},
        parameters="x265-params=keyint=-1:pools={threads}:log-level=error",
        is_sei=lambda byte: byte >> 1 in (39, 40),
    ),
    "svtav1": Encoder(
        library="libsvtav1",
        preset="2",
        worst=63,
        options={},
        parameters="svtav1-params=keyint=-1:tune=1:lp={threads}",
        is_sei=None,
        chroma=(Chroma.YUV420,),
    ),
}
"""Encoders by the name users know them by."""


@dataclass(frozen=True)
class ConventionalCodec:
    """A conventional encoder at one quality: constant rate factor, one intra frame, tuned for PSNR.

    Args:
        name: "x264", "x265" or "svtav1".
        quality: constant rate factor; smaller is better and larger. 0..51, and 0..63 for svtav1.
        preset: the encoder's own word for how hard it tries; empty for the slow one customary in papers
            ("veryslow", and "2" for svtav1).
        threads: threads for encoding and for decoding.

    Raises:
        InputError: the codec is not known, this PyAV comes without it, or the quality is out of range.
    """

    name: str
    quality: int
    preset: str = ""
    threads: int = 2

    def __post_init__(self) -> None:
        """Refuse what no encoder here can do, before any work is done."""
        if self.name not in CODECS:
            raise InputError(f"codec {self.name}: not known; choose {', '.join(CODECS)}")
        encoder = CODECS[self.name]
        if encoder.library not in av.codec.codecs_available:
            raise InputError(f"codec {self.name}: this PyAV comes without {encoder.library}; install av from PyPI")
        if not 0 <= self.quality <= encoder.worst:
            raise InputError(f"codec {self.name}: quality {self.quality} is not in 0..{encoder.worst}")
        if not self.preset:
            object.__setattr__(self, "preset", encoder.preset)

    @property
    def options(self) -> dict[str, str]:
        """Options for FFmpeg."""
        encoder = CODECS[self.name]
        key, _, parameters = encoder.parameters.format(threads=self.threads).partition("=")
        own = {"preset": self.preset, "crf": str(self.quality), key: parameters}
        return encoder.options | own
