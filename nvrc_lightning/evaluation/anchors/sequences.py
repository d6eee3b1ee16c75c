"""The sequences that papers measure on: how they are named, what they must look like, where they are to be had."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

from nvrc_components.video_format import Chroma, ColourMatrix, VideoFormat
from nvrc_lightning.data.options import PixelFormat, RawGeometry
from nvrc_lightning.evaluation.anchors.rows import read_rows

__all__ = ["DATA_SETS", "KnownSequence", "find_sequences", "find_set"]

DATA_SETS: Mapping[str, str] = {
    "UVG": "ultravideo.fi/dataset.html",
    "MCL-JCV": "mcl.usc.edu/mcl-jcv-dataset",
    "HEVC B": "the JCT-VC common test conditions (JCTVC-L1100), whose sequences its members hand out",
    "JVET B": "the JVET common test conditions (JVET-T2010), whose sequences its members hand out",
}
"""Where each data set is described and to be had."""


@dataclass(frozen=True)
class KnownSequence:
    """One sequence of a data set.

    Args:
        data_set: a key of `DATA_SETS`.
        sequence: name in papers.
        file: name of the file without its suffix.
        width: luma samples in a row.
        height: rows.
        frames: number of frames.
        rate: frames a second.
        bit_depth: bits of a code value.
        sha256: of the headerless 4:2:0 file; empty where none was published.
        source: where these facts are from.
    """

    data_set: str
    sequence: str
    file: str
    width: int
    height: int
    frames: int
    rate: Fraction
    bit_depth: int
    sha256: str
    source: str

    @property
    def raw(self) -> RawGeometry:
        """Geometry of its headerless 4:2:0 file, with BT.601, as papers on implicit representations make RGB."""
        pix_fmt = cast(PixelFormat, "yuv420p" if self.bit_depth == 8 else f"yuv420p{self.bit_depth}le")
        return RawGeometry(self.width, self.height, pix_fmt, str(self.rate), ColourMatrix.BT601)

    def mismatch(self, fmt: VideoFormat, sha256: str = "") -> str:
        """How a video of this name differs from the sequence; empty if it does not.

        Args:
            fmt: format of the video.
            sha256: of its samples as a headerless file has them; empty where it is not 4:2:0.
        """
        wanted = f"{self.frames} frames of {self.width}x{self.height}, {self.bit_depth} bit"
        found = f"{fmt.frames} frames of {fmt.width}x{fmt.height}, {fmt.bit_depth} bit"
        if wanted != found:
            return f"has {found} instead of {wanted}"
        if self.sha256 and sha256 and fmt.chroma == Chroma.YUV420 and sha256 != self.sha256:
            return f"has other samples than the sequence, whose sha256 is {self.sha256}"
        return ""

    def advice(self) -> str:
        """What the sequence is, where to get it and what its file is called."""
        page = DATA_SETS[self.data_set]
        return f"{self.sequence} is a sequence of {self.data_set}, to be had from {page} as {self.file}.yuv"


def find_sequences(name: str | Path) -> tuple[KnownSequence, ...]:
    """The sequences that a file or folder of this name should be: one of each data set that has it.

    Names are compared without suffix and without regard to case; the sequence's own name alone will do.
    """
    stem = re.sub(r"\.(yuv|y4m|mkv|mp4)$", "", Path(name).name, flags=re.IGNORECASE).casefold()
    return tuple(item for item in _all() if stem in (item.file.casefold(), item.sequence.casefold()))


def find_set(place: Path) -> tuple[KnownSequence, ...]:
    """The sequences of the data set that a folder on the way to this place is named after."""
    names = {_letters(part) for part in place.parts}
    return tuple(item for item in _all() if _letters(item.data_set) in names)


def _letters(name: str) -> str:
    """A name without what people spell otherwise: case, spaces, hyphens."""
    return re.sub(r"[\W_]", "", name).casefold()


def _all() -> tuple[KnownSequence, ...]:
    return tuple(
        KnownSequence(
            data_set=row["data_set"],
            sequence=row["sequence"],
            file=row["file"],
            width=int(row["width"]),
            height=int(row["height"]),
            frames=int(row["frames"]),
            rate=Fraction(row["rate"]),
            bit_depth=int(row["bit_depth"]),
            sha256=row["sha256"],
            source=row["source"],
        )
        for row in read_rows("sequences.csv")
    )
