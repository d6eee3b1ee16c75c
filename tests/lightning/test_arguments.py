"""What is done to the words of `nvrc fit` before they are parsed."""

from pathlib import Path

import pytest

from nvrc_components.errors import InputError
from nvrc_lightning.arguments import prepare
from nvrc_lightning.recipes import find_recipe

RECIPE = str(find_recipe("nvrc_lite"))


@pytest.mark.parametrize("words", [["--config", "nvrc_lite"], ["--config=nvrc_lite"], ["-c", "nvrc_lite.yaml"]])
def test_recipes_are_resolved_and_come_first(words):
    assert prepare(["fit", "--model.lmbda=3", *words]) == ["fit", "--config", RECIPE, "--model.lmbda=3"]


def test_recipes_keep_their_order(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.touch()
    words = ["fit", "--config=nvrc_lite", "--data.path", "a", f"--config={overlay}"]
    assert prepare(words) == ["fit", "--config", RECIPE, "--config", str(overlay), "--data.path", "a"]


@pytest.mark.parametrize(
    "words",
    [
        ["--config=budget/short"],
        ["--config=sizes/s1+nvrc"],
        ["--config=budget/short", "--data.path=a", "--ckpt_path=a"],
    ],
)
def test_an_overlay_alone_is_refused(words):
    with pytest.raises(InputError, match=r"\.yaml: is an overlay, which needs a recipe before it"):
        prepare(["fit", *words])


def test_options_before_a_recipe_may_have_no_model(tmp_path):
    (tmp_path / "longer.yaml").write_text("trainer: {max_epochs: 900}")
    assert len(prepare(["fit", f"--config={tmp_path / 'longer.yaml'}", "--config=nvrc"])) == 5


def test_overlays_may_stand_behind_their_recipe():
    apart = prepare(["fit", "--config=nvrc", "--config=budget/short"])
    assert prepare(["fit", "--config", "nvrc+budget/short"]) == apart


def test_a_path_may_have_a_plus(tmp_path):
    mine = tmp_path / "a+b.yaml"
    mine.write_text(Path(RECIPE).read_text())
    assert prepare(["fit", "--config", str(mine)]) == ["fit", "--config", str(mine)]


@pytest.mark.parametrize("names", ["nvrc+budget/short", "a+b.yaml", "./mine.yaml+budget/short"])
def test_prepared_twice_is_as_once(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a+b.yaml", "mine.yaml"):
        Path(name).write_text(Path(RECIPE).read_text())
    once = prepare(["fit", "--data.path=a", "-c", names])
    assert prepare(once) == once


def test_a_checkpoint_brings_its_configuration(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("model: VideoCodec")
    saved = str(tmp_path / "checkpoints" / "last.ckpt")
    assert prepare(["fit", "--ckpt_path", saved]) == ["fit", "--config", str(config), "--ckpt_path", saved]
    assert prepare(["fit", f"--ckpt_path={saved}", "-c", "nvrc_lite"])[1:3] == ["--config", RECIPE]


def test_a_configuration_further_away_is_not_the_checkpoint_s(tmp_path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InputError, match=r"no config\.yaml beside it"):
        prepare(["fit", "--ckpt_path", str(tmp_path / "other" / "run" / "last.ckpt")])


@pytest.mark.parametrize("words", [["--help"], ["--model", "VideoCodec"]])
def test_some_need_no_recipe(words):
    assert prepare(["fit", *words]) == ["fit", *words]
