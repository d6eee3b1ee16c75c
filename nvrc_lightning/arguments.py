"""What is done to the words of `nvrc fit` before Lightning's parser sees them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nvrc_components.errors import InputError
from nvrc_lightning.recipes import find_recipes, read_recipe

__all__ = ["prepare"]

_CONFIG = ("-c", "--config")
_MODELS = ("--model", "--model.class_path")
_NEEDS_NONE = ("-h", "--help", "--model", "--model.help")


def prepare(arguments: list[str]) -> list[str]:
    """Resolve recipes, put them before all other options, and find the configuration of a checkpoint's run.

    A configuration read after an option would undo it; an option that was written down should win. Words that were
    prepared before stay as they are.

    Raises:
        InputError: a recipe is not found or cannot be read, or none is given.
    """
    command, *rest = arguments
    configs: list[Path] = []
    others: list[str] = []
    words = iter(rest)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in _CONFIG:
            others.append(word)
            continue
        path = value if equals else next(words, "")
        if not path:
            raise InputError("--config needs a recipe after it, such as --config nvrc_lite")
        configs.extend(find_recipes(path))
    if not configs and not any(word.partition("=")[0] in _NEEDS_NONE for word in others):
        configs.append(_beside_checkpoint(others, command))
    _check(configs, others)
    return [command, *(word for config in configs for word in ("--config", str(config))), *others]


def _check(configs: Sequence[Path], arguments: Sequence[str]) -> None:
    """Refuse files that are no recipes, and overlays alone.

    Raises:
        InputError: there is one.
    """
    models = [model for config in configs if (model := read_recipe(config).get("model"))]
    overlay = not models or (isinstance(models[0], Mapping) and "class_path" not in models[0])
    if configs and overlay and not any(word.partition("=")[0] in _MODELS for word in arguments):
        raise InputError(f"{configs[0]}: is an overlay, which needs a recipe before it, such as --config nvrc_lite")


def _beside_checkpoint(arguments: list[str], command: str) -> Path:
    """The configuration that the run of `--ckpt_path` saved."""
    checkpoint = _value_of("--ckpt_path", arguments)
    if not checkpoint:
        raise InputError(f"{command} needs a recipe, such as --config nvrc_lite")
    for folder in Path(checkpoint).absolute().parents:
        if (folder / "config.yaml").is_file():
            return folder / "config.yaml"
        if folder.name != "checkpoints":
            break
    raise InputError(f"{checkpoint}: no config.yaml beside it; give one with --config")


def _value_of(option: str, arguments: list[str]) -> str:
    """The last value of an option, or nothing."""
    found = ""
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == option:
            found = value if equals else "".join(arguments[index + 1 : index + 2])
    return found
