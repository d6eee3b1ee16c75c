"""What each coder was told, and on which machine, with which versions and seeds, it was measured."""

import re
from collections.abc import Iterable, Mapping, Sequence

from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.looks import glyph
from nvrc_lightning.evaluation.report.markup import Markup, join, tag
from nvrc_lightning.evaluation.result import Run

__all__ = ["runs_section", "settings_section"]

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)")


def settings_section(curves: Sequence[Curve]) -> Markup:
    """The settings of each curve; one that moves along the curve with all its values."""
    return tag("div", *map(_curve, curves), class_="blocks")


def _curve(curve: Curve) -> Markup:
    points = curve.all_points()
    facts = {"variant": curve.variant, "points": _listed(point.setting for point in points)}
    for name in dict.fromkeys(name for point in points for name in point.settings):
        facts[name] = _folded([point.settings[name] for point in points if name in point.settings])
    return tag("div", tag("h3", glyph(curve.look), curve.label), _facts(facts))


def _listed(values: Iterable[str]) -> str:
    """Each value once, crf 4 before crf 24."""
    return ", ".join(sorted(set(values), key=_natural))


def _folded(values: Sequence[str]) -> str:
    """Texts that differ in one number as one text with all its values: crf={22, 26, 30}; others one after the other."""
    rows = [_NUMBER.split(value) for value in sorted(set(values), key=_natural)]
    if len(rows) == 1 or len({len(row) for row in rows}) > 1:
        return _listed(values)
    columns = [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    if [at % 2 for at, column in enumerate(columns) if len(column) > 1] != [1]:
        return _listed(values)
    return "".join(column[0] if len(column) == 1 else f"{{{', '.join(column)}}}" for column in columns)


def _natural(text: str) -> list[tuple[float, str]]:
    """Sort key that compares numbers as numbers."""
    return [(float(part), "") if at % 2 else (-1.0, part) for at, part in enumerate(_NUMBER.split(text))]


def _facts(facts: Mapping[str, str]) -> Markup:
    """Names and values; one that is empty is left out."""
    pairs = [join([tag("dt", name), tag("dd", value)]) for name, value in facts.items() if value]
    return tag("dl", *pairs, class_="facts")


def runs_section(points: Sequence[Point]) -> Markup:
    """Machine, versions, seeds and commit of all points, together where they agree."""
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        groups.setdefault(tuple(_run(point.result.run).values()), []).append(point)
    return join(_group(group) for group in groups.values())


def _run(run: Run) -> dict[str, str]:
    machine = run.machine
    return {
        "device": machine.device,
        "processor": f"{machine.cpu}, {machine.threads} of {machine.cores} threads",
        "system": machine.system,
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "commit": run.commit or "unknown",
    }


def _group(points: Sequence[Point]) -> Markup:
    seeds = _listed("none" if (seed := point.result.run.seed) is None else str(seed) for point in points)
    whose = {"points": f"{len(points)}, of {_listed(point.codec for point in points)}", "seed": seeds}
    return _facts(whose | _run(points[0].result.run))
