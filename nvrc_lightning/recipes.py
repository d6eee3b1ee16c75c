"""Where recipes are found: a path, the checkout, or what an installation brought along; and what they say."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from nvrc_components.errors import InputError
from nvrc_lightning.suggestions import did_you_mean

__all__ = ["find_recipe", "find_recipes", "read_recipe", "shipped_recipes"]

_SHARE = "share/nvrc/recipes/"


def find_recipes(names: str) -> list[Path]:
    """Return the files that a recipe and overlays behind it, such as `nvrc+sizes/s1`, stand for, in their order.

    Raises:
        InputError: one of them is not found.
    """
    if Path(names).expanduser().is_file():  # a path may have a + in it
        return [find_recipe(names)]
    return [find_recipe(name) for name in names.split("+")]


def find_recipe(name: str) -> Path:
    """Return the file that the name or path of a recipe, or of an overlay such as `sizes/s2`, stands for.

    Looked for as it is written, then in the checkout's `recipes/`, then among the installed data files; `.yaml` may
    be left out, and so may the folder `recipes/`, so that the README's commands also work outside the checkout.

    Raises:
        InputError: there is no such recipe; the message has those whose names are close.
    """
    literal = Path(name).expanduser()
    if literal.is_file():
        return literal
    shipped = shipped_recipes()
    bare = name.removeprefix("recipes/").removesuffix(".yaml")
    if bare in shipped:
        return shipped[bare]
    known = ", ".join(sorted(entry for entry in shipped if "/" not in entry))  # overlays are no recipes
    raise InputError(f"{name}: no such recipe or file{did_you_mean(bare, shipped)} (recipes that ship: {known})")


def read_recipe(path: Path) -> dict[str, Any]:
    """Return what a recipe or an overlay says.

    Raises:
        InputError: it cannot be read or is no YAML, or not one of options.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: {error.problem}; the file must be YAML") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not text, but a recipe is YAML") from error
    if not isinstance(content or {}, dict):
        raise InputError(f"{path}: is no recipe, which has options such as 'model:' and 'trainer:'")
    return content or {}


def shipped_recipes() -> dict[str, Path]:
    """Return the recipes and overlays that come with this package, by name; overlays' names have their folder."""
    found: dict[str, Path] = {}
    for name, path in _shipped_files():
        found.setdefault(name.removesuffix(".yaml"), path)
    return found


def _shipped_files() -> Iterator[tuple[str, Path]]:
    """The checkout's first: an editable installation's data files are copies that may be old."""
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "pyproject.toml").is_file():
        folder = checkout / "recipes"
        yield from ((path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*.yaml")))
    for entry in metadata.files("nvrc-lightning") or ():
        path = Path(str(entry.locate()))
        _, found, name = path.as_posix().partition(_SHARE)
        if found and path.suffix == ".yaml" and path.is_file():
            yield name, path.resolve()
