"""Every recipe that ships runs, and is found wherever somebody stands."""

from pathlib import Path

import pytest
import yaml

import nvrc_lightning
from nvrc_components.errors import InputError
from nvrc_lightning.cli import main
from nvrc_lightning.recipes import find_recipe, shipped_recipes
from tests.lightning.helpers import files_in, latest

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
SHORT = ("--data.frames=0:2", "--data.size=[64,48]", "--trainer.max_epochs=1", "--model.network.size=xxs")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs(recipe, tmp_path):
    words = [f"--config={recipe}", *SHORT, f"--trainer.logger.save_dir={tmp_path}"]
    assert main(["fit", *words]) == 0
    run = next(tmp_path.iterdir()) / "version_0"
    assert {"config.yaml", "video.nvrc", "result.json", "preview.png", "checkpoints"} <= set(files_in(run))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_printed_configuration_is_the_same_again(recipe, tmp_path, capsys):
    assert main(["fit", f"--config={recipe}", "--print_config"]) == 0
    first = capsys.readouterr().out
    (tmp_path / "printed.yaml").write_text(first)
    assert main(["fit", f"--config={tmp_path / 'printed.yaml'}", "--print_config"]) == 0
    assert capsys.readouterr().out == first


def test_a_fit_with_the_printed_configuration_saves_the_same(tmp_path, capsys):
    words = ["--config=nvrc_lite", *SHORT, f"--trainer.logger.save_dir={tmp_path / 'runs'}"]
    assert main(["fit", *words, "--print_config"]) == 0
    (tmp_path / "printed.yaml").write_text(capsys.readouterr().out)
    assert main(["fit", *words]) == 0
    first = latest(tmp_path / "runs")
    assert main(["fit", f"--config={tmp_path / 'printed.yaml'}"]) == 0
    second = latest(tmp_path / "runs")
    ours, theirs = (yaml.safe_load((run / "config.yaml").read_text()) for run in (first, second))
    assert ours == theirs
    assert (first / "video.nvrc").read_bytes() == (second / "video.nvrc").read_bytes()


@pytest.mark.parametrize("name", ["nvrc_lite", "nvrc_lite.yaml", "recipes/nvrc_lite.yaml", "recipes/nvrc_lite"])
def test_recipes_are_found_from_an_empty_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(name).samefile(shipped_recipes()["nvrc_lite"])


def test_a_path_beats_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("recipes").mkdir()
    Path("recipes/nvrc_lite.yaml").write_text("seed_everything: 7")
    assert find_recipe("recipes/nvrc_lite.yaml") == Path("recipes/nvrc_lite.yaml")


def test_installed_recipes_are_found(tmp_path, monkeypatch):
    installed = tmp_path / "share/nvrc/recipes/other.yaml"
    installed.parent.mkdir(parents=True)
    installed.write_text("seed_everything: 7")

    class Entry:
        def locate(self):
            return installed

    module = tmp_path / "site-packages/nvrc_lightning/recipes.py"
    monkeypatch.setattr("nvrc_lightning.recipes.__file__", str(module))
    monkeypatch.setattr("nvrc_lightning.recipes.metadata.files", lambda name: [Entry()])
    assert find_recipe("other") == installed
    with pytest.raises(InputError, match=r"did you mean 'other'\? \(recipes that ship: other\)"):
        find_recipe("othr")


def test_every_recipe_is_shipped():
    assert RECIPES
    assert set(shipped_recipes()) == {path.stem for path in RECIPES}
    assert Path(nvrc_lightning.__file__).exists()
