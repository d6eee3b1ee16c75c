"""One coded and measured video: everything that stands beside its figures, as JSON and as a table."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.metrics import Scores
from nvrc_lightning.evaluation.provenance import Machine, git_commit, library_versions

__all__ = ["Cost", "Rate", "Result", "Run"]

_IDENTICAL = "null stands for infinity: the frame is identical to the source"


@dataclass(frozen=True)
class Rate:
    """What the file costs.

    Args:
        file_bytes: size of the written file, as the system reports it; of a conventional codec in a container, of the
            coded video in it.
        pixels: frames times height times width of the source.
        estimated_bytes: what the trained model predicted for all parameters, and the header and framing that no
            parameter changes; None where nothing was predicted.
        sections: bytes of each section of the file, by name, in file order.
    """

    file_bytes: int
    pixels: int
    estimated_bytes: float | None = None
    sections: Mapping[str, int] = field(default_factory=dict)

    @property
    def bpp(self) -> float:
        """Bits of the file for each pixel of the source."""
        return 8 * self.file_bytes / self.pixels

    @property
    def estimate_error_bytes(self) -> float | None:
        """File minus estimate, in bytes."""
        return None if self.estimated_bytes is None else self.file_bytes - self.estimated_bytes

    @property
    def estimate_error_percent(self) -> float | None:
        """File minus estimate, in percent of the estimate."""
        error = self.estimate_error_bytes
        return None if error is None or not self.estimated_bytes else 100 * error / self.estimated_bytes


@dataclass(frozen=True)
class Cost:
    """Time, memory and size of the network.

    Args:
        encode_seconds: wall time of each phase of encoding, by name, in seconds.
        decode_seconds: wall time from opening the file to the last frame, in seconds.
        decode_fps: frames decoded in a second.
        peak_memory_mib: most memory held at once, in MiB, or None where the system does not tell.
        parameters: numbers the network holds, or None for a codec without one.
        macs_per_pixel: multiply-accumulates to decode one pixel, or None if they were not counted.
    """

    encode_seconds: Mapping[str, float]
    decode_seconds: float
    decode_fps: float
    peak_memory_mib: float | None = None
    parameters: int | None = None
    macs_per_pixel: float | None = None

    @property
    def total_encode_seconds(self) -> float:
        """All phases of encoding together, in seconds."""
        return sum(self.encode_seconds.values())


@dataclass(frozen=True)
class Run:
    """How to come by the same figures again.

    Args:
        machine: where it was measured.
        seed: of the random numbers, or None where there were none.
        versions: of Python and the packages that decide results.
        commit: of the source tree, or None outside a checkout.
    """

    machine: Machine
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=library_versions)
    commit: str | None = field(default_factory=git_commit)


@dataclass(frozen=True)
class Result:
    """One video, coded to a file, decoded from it and measured.

    Args:
        video: name of the source, without its folder.
        codec: name of the codec or recipe, with whatever tells its settings apart.
        rate: what the file costs.
        scores: quality of the frames decoded from the file.
        cost: time, memory and size of the network.
        run: machine, seed, versions and commit.
        largest_difference: between a value of the encoder's frames and of the decoded ones, in code values.
    """

    video: str
    codec: str
    rate: Rate
    scores: Scores
    cost: Cost
    run: Run
    largest_difference: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: derived figures included, None for whatever is not a finite number."""
        data = dataclasses.asdict(self)
        data["rate"] |= {
            "bpp": self.rate.bpp,
            "estimate_error_bytes": self.rate.estimate_error_bytes,
            "estimate_error_percent": self.rate.estimate_error_percent,
        }
        data["cost"]["total_encode_seconds"] = self.cost.total_encode_seconds
        if any(math.isinf(value) for value in self.scores.psnr_rgb_per_frame):
            data["scores"]["undefined"]["psnr_rgb_per_frame"] = _IDENTICAL
        plain: dict[str, Any] = _without_nonfinite(data)
        return plain

    def write_json(self, path: str | Path, force: bool = False) -> None:
        """Write as JSON, whole or not at all; a score that is not defined is null beside its reason.

        Raises:
            InputError: the file exists and ``force`` is not set, or cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        with atomic_path(path, force=force) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Result":
        """The result of plain data that ``to_dict`` made.

        Raises:
            KeyError, TypeError: it is not that of a result.
        """
        run = _pick(Run, data["run"])
        return cls(
            video=data["video"],
            codec=data["codec"],
            rate=Rate(**_pick(Rate, data["rate"])),
            scores=_scores(data["scores"]),
            cost=Cost(**_pick(Cost, data["cost"])),
            run=Run(**run | {"machine": Machine(**_pick(Machine, run["machine"]))}),
            largest_difference=data.get("largest_difference", 0),
        )

    @classmethod
    def from_json(cls, path: str | Path) -> "Result":
        """Read what ``write_json`` wrote.

        Raises:
            InputError: the file cannot be read or is not a result.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: not a result file of nvrc-lightning; give a JSON file it wrote") from error


def _without_nonfinite(value: Any) -> Any:
    """The same plain data with None for NaN and infinities, which JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: _without_nonfinite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nonfinite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _pick(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are fields; derived figures are computed again, what older files lack has its default."""
    return {entry.name: data[entry.name] for entry in dataclasses.fields(cls) if entry.name in data}


def _scores(data: Mapping[str, Any]) -> Scores:
    """Scores from plain data, where null is infinite for a frame and not defined for a mean."""
    scores = _pick(Scores, data)
    per_frame = [math.inf if value is None else value for value in scores["psnr_rgb_per_frame"]]
    undefined = {name: why for name, why in scores["undefined"].items() if name != "psnr_rgb_per_frame"}
    scores = {name: math.nan if value is None else value for name, value in scores.items()}
    return Scores(**scores | {"psnr_rgb_per_frame": tuple(per_frame), "undefined": undefined})
