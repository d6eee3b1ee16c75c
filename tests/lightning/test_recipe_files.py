"""Recipes are found wherever somebody stands, and all of them are installed."""

from configparser import ConfigParser
from pathlib import Path

import pytest

import nvrc_lightning
from nvrc_components.errors import InputError
from nvrc_lightning.recipes import find_recipe, shipped_recipes

FOLDER = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("prefix", ["", "recipes/"])
@pytest.mark.parametrize("name", ["nvrc_lite", "sizes/s2", "points/rgb/s1_0.25"])
@pytest.mark.parametrize("suffix", ["", ".yaml"])
def test_recipes_are_found_from_an_empty_folder(prefix, name, suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(prefix + name + suffix).samefile(FOLDER / f"{name}.yaml")


def test_a_mistyped_overlay_is_corrected():
    with pytest.raises(InputError, match="did you mean 'ablations/v1'"):
        find_recipe("ablation/v1")


def test_a_path_beats_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("recipes").mkdir()
    Path("recipes/nvrc_lite.yaml").write_text("seed_everything: 7")
    assert find_recipe("recipes/nvrc_lite.yaml") == Path("recipes/nvrc_lite.yaml")


@pytest.mark.parametrize("name", ["other", "sizes/other"])
def test_installed_recipes_are_found(name, tmp_path, monkeypatch):
    folder = tmp_path / "share/nvrc/recipes"
    (folder / "sizes").mkdir(parents=True)
    entries = ("other.yaml", "sizes/other.yaml")
    for entry in entries:
        (folder / entry).write_text("seed_everything: 7")

    class Entry:
        def __init__(self, file):
            self.locate = lambda: folder / file

    module = tmp_path / "site-packages/nvrc_lightning/recipes.py"
    monkeypatch.setattr("nvrc_lightning.recipes.__file__", str(module))
    monkeypatch.setattr("nvrc_lightning.recipes.metadata.files", lambda _: map(Entry, entries))
    assert find_recipe(name) == folder / f"{name}.yaml"
    with pytest.raises(InputError, match=rf"did you mean '{name}'.* \(recipes that ship: other\)"):
        find_recipe(name.replace("other", "othr"))


def test_every_recipe_is_shipped():
    everything = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")}
    assert {f"{name}.yaml" for name in shipped_recipes()} == everything
    assert Path(nvrc_lightning.__file__).exists()


def test_an_installation_brings_all_folders_of_recipes():
    setup = ConfigParser()
    setup.read(FOLDER.parent / "setup.cfg")
    patterns = {f"share/nvrc/{path.parent.relative_to(FOLDER.parent)}" for path in FOLDER.rglob("*.yaml")}
    assert dict(setup["options.data_files"]) == {
        place: f"{place.removeprefix('share/nvrc/')}/*.yaml" for place in patterns
    }
