"""A recipe of ours as a coder of a bench."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.bench.reference import Reference
from nvrc_lightning.evaluation.result import Result
from nvrc_lightning.recipes import find_recipes

__all__ = ["RecipeCoder"]


@dataclass(frozen=True)
class RecipeCoder:
    """A recipe of ours at one lambda; what is not given stays as the recipe has it.

    Args:
        recipe: name or path of the recipe, with overlays behind it: "nvrc+sizes/s1".
        lmbda: weight of the distortion.
        epochs: how often every frame is trained on; 0 for what the recipe says.
        size: of the network; empty for what the recipe says.
        seed: of the start and of the order of training; negative for what the recipe says.
        device: auto, cpu, cuda or cuda:N.
        options: further options of `nvrc fit`.
    """

    recipe: str
    lmbda: float
    epochs: int = 0
    size: str = ""
    seed: int = -1
    device: str = "auto"
    options: tuple[str, ...] = ()
    suffix = ".nvrc"

    @property
    def codec(self) -> str:
        """Name of the recipe, without folder and overlays."""
        return Path(self._names[0]).name.removesuffix(".yaml")

    @property
    def variant(self) -> str:
        """What it is told apart from lambda."""
        given = (
            *self._names[1:],
            f"{self.epochs} epoch{'s' * (self.epochs > 1)}" if self.epochs else "",
            f"size {self.size}" if self.size else "",
            f"seed {self.seed}" if self.seed >= 0 else "",
            *(word.lstrip("-") for word in self.options),
        )
        return ", ".join(word for word in given if word) or "as the recipe has it"

    @property
    def setting(self) -> str:
        """Lambda."""
        return f"lambda {self.lmbda:g}"

    @cached_property
    def settings(self) -> Mapping[str, str]:
        """All options, and which recipe it was."""
        digest = hashlib.sha256()
        for path in self._paths:
            digest.update(path.read_bytes())
        return {
            "recipe": self.recipe,
            "recipe sha256": digest.hexdigest(),
            "variant": self.variant,
            "counted bytes": "the whole file",
        }

    def check(self, reference: Reference) -> None:
        """Refuse a recipe that is not there.

        Raises:
            InputError: it is not.
        """
        if self.lmbda <= 0:
            raise InputError(
                f"lambda {self.lmbda:g} is not positive; a larger one gives better pictures and larger files"
            )
        self._paths  # noqa: B018

    def code(self, reference: Reference, folder: Path, stream: Path) -> Result:
        """Fit, write, decode and measure.

        Raises:
            NvrcError: the input was at fault.
        """
        from nvrc_lightning.encode import encode  # Lightning takes seconds to import, and the other codecs need none

        result = encode(
            reference.locate(folder),
            stream,
            recipe=self.recipe,
            lmbda=self.lmbda,
            epochs=self.epochs or None,
            size=self.size or None,
            frames=reference.frames,
            device=self.device,
            seed=self.seed if self.seed >= 0 else None,
            force=True,
            options=(*_raw_options(reference), *self.options),
        )
        if result.rate.pixels != reference.format.pixels:
            raise InputError(
                f"{self.recipe}: codes a part of {reference.video} or another size of it, which cannot be compared; "
                "leave frames, crop and size of the data alone"
            )
        return replace(result, video=reference.video, codec=f"{self.codec}, {self.variant}, {self.setting}")

    @property
    def _names(self) -> list[str]:
        return self.recipe.split("+")

    @property
    def _paths(self) -> list[Path]:
        return find_recipes(self.recipe)


def _raw_options(reference: Reference) -> tuple[str, ...]:
    """Geometry of a headerless file, as options of `nvrc fit`."""
    raw = reference.raw
    return tuple(
        f"--data.raw.{name}={value}"
        for name, value in (
            ("width", raw.width),
            ("height", raw.height),
            ("pix_fmt", raw.pix_fmt),
            ("rate", raw.rate),
            ("matrix", reference.format.matrix.name),
            ("colour_range", raw.colour_range.name),
        )
    )
