"""What makes one point: a codec that is told everything it needs, as plain data that travels to a process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from nvrc_lightning.evaluation.bench.reference import Reference
from nvrc_lightning.evaluation.conventional import encode_conventional
from nvrc_lightning.evaluation.encoders import CODECS, ConventionalCodec
from nvrc_lightning.evaluation.metrics import Scores
from nvrc_lightning.evaluation.provenance import Machine, peak_memory_mib
from nvrc_lightning.evaluation.result import Cost, Rate, Result, Run
from nvrc_lightning.evaluation.vvenc import VvencCodec, encode_vvc

__all__ = ["Coder", "ConventionalCoder", "VvencCoder"]

_COUNTED = "packets and parameter sets, without the container and without SEI messages"


class Coder(Protocol):
    """Codes any video at one setting; `Point` says more of what the names mean."""

    @property
    def codec(self) -> str:
        """Name of the codec or recipe."""

    @property
    def variant(self) -> str:
        """What tells its curves apart."""

    @property
    def setting(self) -> str:
        """Where on the curve."""

    @property
    def settings(self) -> Mapping[str, str]:
        """All that it is told."""

    @property
    def suffix(self) -> str:
        """Of its coded files."""

    def check(self, reference: Reference) -> None:
        """Refuse what cannot be coded, before any work is done.

        Raises:
            InputError: it cannot.
        """

    def code(self, reference: Reference, folder: Path, stream: Path) -> Result:
        """Write the coded file, decode it and measure it.

        Raises:
            NvrcError: the input was at fault.
        """


@dataclass(frozen=True)
class ConventionalCoder:
    """An encoder that comes with PyAV.

    Args:
        told: the encoder and what it is told.
    """

    told: ConventionalCodec
    suffix = ".mkv"

    @property
    def codec(self) -> str:
        """Name of the encoder."""
        return self.told.name

    @property
    def variant(self) -> str:
        """Preset and intra frames."""
        return self.told.variant

    @property
    def setting(self) -> str:
        """Constant rate factor."""
        return f"crf {self.told.quality}"

    @property
    def settings(self) -> Mapping[str, str]:
        """All options, in FFmpeg's words."""
        words = " ".join(f"{name}={value}" for name, value in self.told.options.items())
        return {"encoder": CODECS[self.told.name].library, "options": words, "counted bytes": _COUNTED}

    def check(self, reference: Reference) -> None:
        """Refuse a format the encoder does not take.

        Raises:
            InputError: it does not.
        """
        self.told.check(reference.format)

    def code(self, reference: Reference, folder: Path, stream: Path) -> Result:
        """Code, decode and measure."""
        video = reference.read(folder)
        coded = encode_conventional(video, self.told, stream, force=True)
        seconds = coded.encode_seconds, coded.decode_seconds
        result = _result(self, reference, coded.coded_bytes, coded.scores, seconds, self.told.threads)
        signed = {CODECS[self.told.name].library: coded.version} if coded.version else {}
        return replace(result, run=replace(result.run, versions={**result.run.versions, **signed}))


@dataclass(frozen=True)
class VvencCoder:
    """VVenC, by its own programs.

    Args:
        told: what it is told.
    """

    told: VvencCodec
    codec = "vvenc"
    suffix = ".266"

    @property
    def variant(self) -> str:
        """Preset and intra frames."""
        return self.told.variant

    @property
    def setting(self) -> str:
        """Quantisation parameter."""
        return f"qp {self.told.quality}"

    @property
    def settings(self) -> Mapping[str, str]:
        """What moves along the curve and what does not; the geometry is the video's."""
        told = asdict(self.told) | {"perceptual adaptation": "off"}
        words = ", ".join(f"{name} {value}" for name, value in told.items())
        return {"encoder": "vvencapp", "options": words, "counted bytes": "the whole .266 file"}

    def check(self, reference: Reference) -> None:
        """Refuse a format the encoder does not take.

        Raises:
            InputError: it does not.
        """
        self.told.check(reference.format)

    def code(self, reference: Reference, folder: Path, stream: Path) -> Result:
        """Code, decode and measure."""
        coded = encode_vvc(reference.read(folder), self.told, stream, force=True)
        seconds = coded.encode_seconds, coded.decode_seconds
        return _result(self, reference, coded.coded_bytes, coded.scores, seconds, self.told.threads)


def _result(
    coder: Coder, reference: Reference, coded_bytes: int, scores: Scores, seconds: tuple[float, float], threads: int
) -> Result:
    """What was measured on a conventional codec's file; `seconds` are those of encoding and of decoding."""
    encode_seconds, decode_seconds = seconds
    cost = Cost({"encode": encode_seconds}, decode_seconds, scores.frames / decode_seconds, peak_memory_mib())
    rate = Rate(coded_bytes, reference.format.pixels, None, {"coded video": coded_bytes})
    name = f"{coder.codec}, {coder.variant}, {coder.setting}"
    return Result(reference.video, name, rate, scores, cost, Run(replace(Machine.describe(), threads=threads)))
