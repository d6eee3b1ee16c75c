"""What is wrong with an option, in one line, from the pages that the parser writes about it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import signature
from typing import Any, get_type_hints

from nvrc_lightning.suggestions import did_you_mean

__all__ = ["explain"]

# Lines that say how the parser came to what it says, or what every alternative of a type would have wanted.
_STRUCTURE = re.compile(
    r"(Parser key |Does not validate against|Subtypes:|Errors:|Problem with given class_path|Given value"
    r"|Expected an? <class 'NoneType'>|Expected <class 'NoneType'>|Expected a path but|Not a valid subclass"
    r"|Subclass types expect|a class path \(str\)|a dict with|a dict without|$)"
)
_KEY = re.compile(r'Parser key "([^"]+)"')
_NESTED = re.compile(r"NestedArg\(key='([^']+)'")
_CLASS = re.compile(r"Problem with given class_path '([^']+)'")
_UNKNOWN_CLASS = re.compile(r"Expected a dot import path string: (\S+)|Import path (\S+) not found")
_NOT_ACCEPTED = re.compile(r"Option '([^']+)' is not accepted|does not accept option '([^']+)'")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (?:--)?([^\s=]+)")
_REQUIRED = re.compile(r"the following arguments are required: (.+)")
_TYPE = re.compile(r"Expected (?:an? )?<class '([\w.]+)'>(?:\. Got value: (.*))?$")
_GIVEN = re.compile(r"Given value: (?!NestedArg|Namespace)(.+)")
_OVERLAID_LISTS = ("trainer.callbacks", "trainer.callbacks.stages", "model.groups")
_SAME_ITEMS = "; where an overlay leaves it to the recipe, both lists must have the same items in the same order"


def explain(message: str, options: Iterable[str] = (), classes: Iterable[str] = ()) -> str:
    """Return the one line that matters of a parser's message, with what may have been meant.

    Args:
        message: the parser's.
        options: all options it knows, as they are written.
        classes: names of the classes that a recipe may use.
    """
    lines = [line.strip().removeprefix("- ").strip() for line in message.splitlines()]
    if lines[0].startswith("Problems parsing"):  # YAML's own words, which only make sense together
        return " ".join(lines)
    leaf = next((index for index, line in enumerate(lines) if not _STRUCTURE.match(line)), len(lines) - 1)
    above = "\n".join(lines[:leaf])
    nested = _NESTED.search(message)
    key = ".".join([*_KEY.findall(above)[:1], nested[1]] if nested else _KEY.findall(above))
    text = _reword(lines[leaf], key, _CLASS.findall(above), list(options), list(classes))
    given = _GIVEN.search(message)
    value = f", not {given[1]!r}" if text.startswith("expects ") and " not " not in text and given else ""
    return f"--{key}: {text}{value}" if key else f"{text}{value}"


def _reword(leaf: str, key: str, within: Sequence[str], options: Sequence[str], classes: Sequence[str]) -> str:
    """The parser's last line in other words."""
    if match := _UNKNOWN_CLASS.search(leaf):
        name = match[1] or match[2]
        return f"unknown class {name!r}{did_you_mean(name, classes)}"
    if match := _NOT_ACCEPTED.search(leaf) or _UNRECOGNIZED.search(leaf):
        name = next(group for group in match.groups() if group)
        known = _parameters(within[-1], name) if within else [option.lstrip("-") for option in options]
        owner = f"{within[-1].rpartition('.')[2]} has no option" if within else "unknown option"
        return f"{owner} {name!r}{did_you_mean(name, known)}"
    if match := _REQUIRED.search(leaf):
        return f"needs a value for {match[1]}{_SAME_ITEMS if key in _OVERLAID_LISTS else ''}"
    if match := _TYPE.search(leaf):
        return f"expects {match[1]}" + (f", not {match[2]!r}" if match[2] else "")
    return leaf


def _parameters(class_path: str, name: str) -> list[str]:
    """Names that a class takes where `name` was given: its parameters, or those of a parameter's dataclass."""
    module, _, attribute = class_path.rpartition(".")
    try:
        cls: Any = getattr(import_module(module), attribute)
        first, dot, _ = name.partition(".")
        if dot and is_dataclass(options := get_type_hints(cls.__init__).get(first)):
            return [f"{first}.{field.name}" for field in fields(options)]
        return list(signature(cls).parameters)
    except (ImportError, AttributeError, ValueError, NameError):
        return []  # a class that cannot be looked at has no suggestions
