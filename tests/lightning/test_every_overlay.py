"""Every overlay that ships trains under the recipe that it is for, and its printed configuration is the same again."""

from importlib.resources import files
from itertools import cycle
from pathlib import Path

import pytest
import yaml

from nvrc_components.representations.hinerv_presets import PRESETS
from nvrc_lightning.cli import main
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.recipes import shipped_recipes
from tests.lightning.helpers import files_in, leaves, printed

HERE = Path(__file__).parent
SHIPPED = shipped_recipes()
RAW = ("--data.raw.width=192", "--data.raw.height=128", "--data.raw.pix_fmt=yuv420p")
FEW = {
    "hinerv": (str(HERE / "few_steps.yaml"),),
    "nvrc": (str(HERE / "few_steps.yaml"), str(HERE / "few_iterations.yaml")),
    "nvrc_lite": (str(HERE / "few_frames.yaml"),),
}
"""What makes a training of seconds out of a recipe."""


def named(start):
    return sorted(name for name in SHIPPED if name.startswith(start))


def chains():
    """Yield recipes with overlays behind them, so that each of these is there at least once."""
    sets = {recipe: cycle(named(f"sets/{recipe}/")) for recipe in FEW}
    for name in named("points/rgb/"):
        yield "nvrc", next(sets["nvrc"]), "colours/rgb", name
    for name in named("points/yuv420/"):
        yield "nvrc", next(sets["nvrc"]), "colours/yuv420", name
    for version, recipe in ((1, "hinerv"), (2, "nvrc")):
        for size in PRESETS[version]:
            if f"sizes/{size}" in SHIPPED:
                yield recipe, next(sets[recipe]), f"sizes/{size}"
    for size in ("xxs", "xs", "s", "m", "l"):
        yield "nvrc_lite", next(sets["nvrc_lite"]), f"sizes/{size}"
    for recipe in FEW:
        yield recipe, "budget/short"
    for name in named("ablations/"):
        yield "nvrc", "budget/short", name
    for name in named("bits/"):
        yield "hinerv", name


def test_no_overlay_is_left_out():
    assert {name for chain in chains() for name in chain} == set(SHIPPED)


@pytest.mark.slow
@pytest.mark.parametrize("chain", tuple(chains()), ids="+".join)
def test_an_overlays_printed_configuration_is_the_same_again(chain, tmp_path, capsys):
    first = printed(capsys, *(f"--config={name}" for name in chain))
    (tmp_path / "printed.yaml").write_text(first)
    assert printed(capsys, f"--config={tmp_path / 'printed.yaml'}") == first


def put_video(overlay):
    """Put two frames of a real clip where a set of videos has its sequence."""
    options = yaml.safe_load(SHIPPED[overlay].read_text())["data"]["init_args"]
    clip = read_video(files("nvrc_lightning") / "assets" / "bunny_192x128_32f.mkv")
    place = Path(options["path"].format(sequence=options["sequence"]))
    place.parent.mkdir()
    place.write_bytes(b"".join(plane[i].numpy().tobytes() for i in range(2) for plane in clip.planes))


def said_by(*files):
    """Return all single values that files of options give outside of lists, by their dotted names; the last wins."""
    every = [leaves(yaml.safe_load(Path(file).read_text())) for file in files]
    items = [item for found in every for item in found.items()]
    return {name: value for name, value in items if not any(part.isdigit() for part in name.split("."))}


@pytest.mark.slow
@pytest.mark.parametrize("chain", tuple(chains()), ids="+".join)
def test_an_overlay_trains(chain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    of_set = [name for name in chain if name.startswith("sets/")]
    for name in of_set:
        put_video(name)
    recipe, *laid = chain
    # What an ablation says must not be overlaid again; networks, patches and epochs of other overlays would take hours.
    last = [name for name in laid if name.startswith("ablations/")]
    words = [f"--config={name}" for name in (recipe, *(n for n in laid if n not in last), *FEW[recipe], *last)]
    assert main(["fit", *words, *(RAW if of_set else ()), "--trainer.logger.save_dir=runs"]) == 0
    (run,) = Path("runs").glob("*/version_0")
    assert {"config.yaml", "video.nvrc", "result.json"} <= set(files_in(run))
    saved, short = leaves(yaml.safe_load((run / "config.yaml").read_text())), said_by(*FEW[recipe])
    for name, value in said_by(*(SHIPPED[name] for name in laid)).items():
        if name not in short and not name.startswith("data.init_args.raw"):
            assert saved[name] == value or saved[name].endswith(f".{value}")  # classes with their modules
