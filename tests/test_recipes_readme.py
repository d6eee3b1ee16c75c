"""recipes/README.md names every recipe, and every line of it is one that the program takes."""

import re
import shlex
from itertools import pairwise, product
from pathlib import Path

import pytest

from nvrc_lightning.cli import main
from nvrc_lightning.recipes import find_recipe, shipped_recipes

README = (Path(__file__).parents[1] / "recipes" / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"(?:`|^    )(nvrc fit [^`\n]*)", README, re.MULTILINE)
LADDERS = {  # network and lambda of NVRC's table 8, in RGB
    "uvg": ("s2_1", "s2_2", "s3_4", "s3_8", "s4_16", "s4_32"),
    "jvet_b": ("s2_1", "s2_2", "s3_4", "s3_8", "s4_16", "s4_32"),
    "mcl_jcv": ("s1_0.25", "s1_0.5", "s2_1", "s2_2", "s3_4", "s3_8"),
}


def configs(line):
    words = shlex.split(line)
    return [word for before, word in pairwise(words) if before == "--config"]


def kind(line):
    """What overlays a line has, where those of one folder differ in a number or two."""
    return tuple(re.sub(r"^(points/\w+|sizes|ablations)/.*", r"\1", name) for name in configs(line))


KINDS = {kind(line): line for line in LINES}


def test_every_recipe_is_named():
    for name in shipped_recipes():
        assert (f"`{name}`" if "/" in name else f"`{name}.yaml`") in README


def test_headings_differ_and_no_column_is_empty():
    headings = re.findall(r"^#+ .*", README, re.MULTILINE)
    assert len(headings) == len(set(headings)) > 5
    tables = re.findall(r"^\|(?:.*\|\n)+", README, re.MULTILINE)
    assert len(tables) > 5
    for table in tables:
        head, _, *rows = ([cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines())
        for name, *cells in zip(head, *rows, strict=True):
            assert set(cells) - {"–", ""}, f"{name} of {head} has nothing in it"


def test_every_recipe_of_a_line_is_there():
    assert len(LINES) == len(set(LINES)) > 50
    for line in LINES:
        assert configs(line)
        for name in configs(line):
            assert find_recipe(name).is_file()


@pytest.mark.parametrize("line", KINDS.values(), ids=["+".join(kind) for kind in KINDS])
def test_lines_are_taken(line, capsys):
    _, *words = shlex.split(line)
    assert main([*words, "--print_config"]) == 0
    assert "class_path" in capsys.readouterr().out


def test_nvrcs_points_are_all_there():
    expected = []
    for (folder, points), (colour, factor) in product(LADDERS.items(), (("rgb", 1), ("yuv420", 32))):
        for point in points:
            size, lmbda = point.split("_")
            overlay = [f"colours/{colour}"] if colour != "rgb" else []
            name = f"points/{colour}/{size}_{factor * float(lmbda):g}"
            expected.append(["nvrc", f"sets/nvrc/{folder}", *overlay, name])
    rows = [configs(line) for line in re.findall(r"^\| `(nvrc fit [^`]*)`", README, re.MULTILINE)]
    assert [row for row in rows if row[-1].startswith("points/")] == expected


def test_hinervs_sizes_are_all_there():
    expected = [["hinerv", "sets/hinerv/uvg", f"sizes/{size}"] for size in ("s", "m", "l", "xl", "xxl")]
    expected += [["hinerv", "sets/hinerv/mcl_jcv", f"sizes/mcl-{size}"] for size in ("xxs", "xs", "s", "m", "l")]
    assert [configs(line) for line in LINES if configs(line)[0] == "hinerv"] == expected
