"""The conventional encoders that come with PyAV, and how each is told the same thing."""

from collections.abc import Callable
from dataclasses import dataclass

import av

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, VideoFormat

__all__ = ["CODECS", "ConventionalCodec", "Encoder"]


@dataclass(frozen=True)
class Encoder:
    """FFmpeg's name of an encoder, how it is told what all are told, and what else it must be told.

    Args:
        library: FFmpeg's name.
        preset_option: what FFmpeg calls its preset.
        preset: the slow one customary in papers.
        worst: the largest constant rate factor.
        qualities: constant rate factors of a curve, from good to bad.
        options: for FFmpeg.
        parameters: the encoder's own, in its own words, with places for the number of threads.
        one_intra: of those, what keeps it from intra frames after the first, but for cuts of the scene.
        periodic_intra: of those, what asks for an intra frame every so many frames, through which others may refer.
        is_sei: tells from the first byte of a NAL unit whether it is a SEI message; None where there are none.
        chroma: what it codes.
    """

    library: str
    preset: str
    worst: int
    qualities: tuple[int, ...]
    options: dict[str, str]
    parameters: tuple[str, str]
    one_intra: str
    periodic_intra: str
    is_sei: Callable[[int], bool] | None
    chroma: tuple[Chroma, ...] = (Chroma.YUV420, Chroma.YUV422, Chroma.YUV444)
    preset_option: str = "preset"


CODECS = {
    "x264": Encoder(
        library="libx264",
        preset="veryslow",
        worst=51,
        qualities=(22, 26, 30, 34, 38),
        options={"tune": "psnr"},
        parameters=("x264-params", "{intra}:threads={threads}"),
        one_intra="keyint=infinite",
        periodic_intra="keyint={period}:open-gop=1",
        is_sei=lambda byte: byte & 31 == 6,
    ),
    "x265": Encoder(
        library="libx265",
        preset="veryslow",
        worst=51,
        qualities=(22, 26, 30, 34, 38),
        options={"tune": "psnr"},
        parameters=("x265-params", "{intra}:pools={threads}:log-level=error"),
        one_intra="keyint=-1",
        periodic_intra="keyint={period}",  # open groups are its default
        is_sei=lambda byte: byte >> 1 in (39, 40),
    ),
    "svtav1": Encoder(
        library="libsvtav1",
        preset="2",
        worst=63,
        qualities=(25, 35, 44, 52, 60),
        options={},
        parameters=("svtav1-params", "{intra}:tune=1:lp={threads}"),
        one_intra="keyint=-1",
        periodic_intra="keyint={period}:irefresh-type=1",
        is_sei=None,
        chroma=(Chroma.YUV420,),
    ),
    "vp9": Encoder(
        library="libvpx-vp9",
        preset="0",
        preset_option="cpu-used",
        worst=63,
        qualities=(25, 35, 44, 52, 60),
        # With b 0 the factor is the quality itself and no limit; alternate references need the look-ahead.
        options={"b": "0", "deadline": "good", "auto-alt-ref": "1", "lag-in-frames": "25", "row-mt": "1"},
        parameters=("g", "{intra}"),
        one_intra="1048576",
        periodic_intra="{period}",
        is_sei=None,
    ),
}
"""Encoders by the name users know them by."""


@dataclass(frozen=True)
class ConventionalCodec:
    """A conventional encoder at one quality: constant rate factor, tuned for PSNR.

    Args:
        name: "x264", "x265", "svtav1" or "vp9".
        quality: constant rate factor; smaller is better and larger. 0..51, and 0..63 for svtav1 and vp9.
        preset: the encoder's own word for how hard it tries; empty for the slow one customary in papers
            ("veryslow", "2" for svtav1, "0" for vp9, where it is called cpu-used).
        threads: threads for encoding and for decoding.
        intra_period: frames from one intra frame to the next, in open groups where the encoder has them; 0 for none
            but the first. Cuts of the scene may add some.

    Raises:
        InputError: the codec is not known, this PyAV comes without it, or the quality is out of range.
    """

    name: str
    quality: int
    preset: str = ""
    threads: int = 2
    intra_period: int = 0

    def __post_init__(self) -> None:
        """Refuse what no encoder here can do, before any work is done."""
        if self.name not in CODECS:
            raise InputError(f"codec {self.name}: not known; choose {', '.join(CODECS)}")
        encoder = CODECS[self.name]
        if encoder.library not in av.codec.codecs_available:
            raise InputError(f"codec {self.name}: this PyAV comes without {encoder.library}; install av from PyPI")
        if not 0 <= self.quality <= encoder.worst:
            raise InputError(f"codec {self.name}: quality {self.quality} is not in 0..{encoder.worst}")
        if self.intra_period < 0:
            raise InputError(
                f"codec {self.name}: intra period {self.intra_period} is negative; give 0 for one intra frame"
            )
        if not self.preset:
            object.__setattr__(self, "preset", encoder.preset)

    def check(self, fmt: VideoFormat) -> None:
        """Refuse a video that the encoder cannot take.

        Raises:
            InputError: it has other than 8 or 10 bits, or a chroma format that is not coded.
        """
        if fmt.bit_depth not in (8, 10):
            raise InputError(f"{self.name} codes 8 and 10 bits, the video has {fmt.bit_depth}; convert it first")
        if fmt.chroma not in (Chroma.RGB, *CODECS[self.name].chroma):
            raise InputError(f"{self.name} codes 4:2:0 only, the video is {fmt.chroma.name}; choose x264 or x265")

    @property
    def options(self) -> dict[str, str]:
        """Options for FFmpeg."""
        encoder = CODECS[self.name]
        intra = encoder.periodic_intra.format(period=self.intra_period) if self.intra_period else encoder.one_intra
        key, parameters = encoder.parameters
        own = {key: parameters.format(intra=intra, threads=self.threads)}
        return encoder.options | {encoder.preset_option: self.preset, "crf": str(self.quality)} | own

    @property
    def variant(self) -> str:
        """What tells curves of one codec apart: preset and intra frames."""
        option = CODECS[self.name].preset_option
        preset = f"{option} {self.preset}" if self.preset.isdecimal() else self.preset
        return f"{preset}, {f'intra every {self.intra_period} frames' if self.intra_period else 'one intra frame'}"
