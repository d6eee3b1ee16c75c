"""A wanted size, in whole runs."""

import re
from pathlib import Path

import pytest
import yaml

from nvrc_components.errors import InputError
from nvrc_lightning.callbacks.rate_control import RateControl
from nvrc_lightning.cli import main
from nvrc_lightning.encode import encode
from nvrc_lightning.evaluation.result import Result
from tests.lightning.helpers import TINY, checkpoint, files_in, fit, latest

MORE = ("--trainer.max_epochs=6", "--trainer.callbacks.fit_iterations=3")


def runs_in(folder):
    return [f"--trainer.logger.save_dir={folder}"]


@pytest.fixture(scope="module")
def free_size(tmp_path_factory):
    """Bytes of the file that the tiny recipe makes if nothing is wanted."""
    return (fit(tmp_path_factory.mktemp("free")) / "video.nvrc").stat().st_size


def test_a_size_is_kept_where_a_bar_is_drawn(tmp_path, monkeypatch, free_size):
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which the bar takes its output for a terminal
    limit = int(0.9 * free_size)
    run = fit(tmp_path, "--trainer.callbacks+=RateControl", f"--trainer.callbacks.size={limit}", *MORE)
    assert (run / "video.nvrc").stat().st_size <= limit


@pytest.mark.parametrize("part", [0.7, 1.4])
def test_the_file_has_the_wanted_size(part, tmp_path, free_size):
    limit = int(part * free_size)
    run = fit(tmp_path, "--trainer.callbacks+=RateControl", f"--trainer.callbacks.size={limit}", *MORE)
    result = Result.from_json(run / "result.json")
    assert (run / "video.nvrc").stat().st_size == result.rate.file_bytes
    assert 0.97 * limit <= result.rate.file_bytes <= limit
    assert abs(result.rate.file_bytes - result.rate.estimated_bytes) <= 0.005 * result.rate.file_bytes + 64
    state = checkpoint(run)["callbacks"]["RateControl"]
    assert state["landed"]
    assert state["control"]["octaves"] != 3  # the recipe's lambda is 8


def test_bits_for_each_pixel_are_of_the_file(tmp_path, free_size):
    bpp = 8 * free_size / (4 * 64 * 48)
    result = encode("bunny", tmp_path / "a.nvrc", frames="0:4", target_bpp=bpp, options=(*TINY[2:], *MORE[1:]))
    assert (tmp_path / "a.nvrc").stat().st_size == result.rate.file_bytes
    assert 0.97 * bpp <= result.rate.bpp <= bpp


def test_nothing_over_the_target_is_left(tmp_path):
    with pytest.raises(InputError, match=r"cannot be made as small as 470 bytes: .*--size"):
        encode("bunny", tmp_path / "a.nvrc", frames="0:4", target_size="470B", options=(*TINY[2:], MORE[1]))
    assert files_in(tmp_path) == []


def test_a_file_over_the_target_that_stays_is_named_an_interim_one(tmp_path, capsys):
    config = yaml.safe_load(Path(TINY[-1]).read_text())
    config["trainer"]["callbacks"][2]["init_args"]["every_n_epochs"] = 1
    config["trainer"]["callbacks"].append(
        {"class_path": "RateControl", "init_args": {"size": "470B", "fit_iterations": 3}}
    )
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config=nvrc_lite", f"--config={tmp_path / 'overlay.yaml'}", *runs_in(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be made as small as 470 bytes" in error
    assert "checkpoints" in files_in(latest(tmp_path))
    assert [path.name for path in tmp_path.rglob("*.nvrc")] == ["video.interim.nvrc"]


def test_a_target_below_the_header_is_refused_before_training(tmp_path, capsys, monkeypatch):
    def untimely(*_):
        raise AssertionError("a step was taken")

    monkeypatch.setattr("nvrc_lightning.modules.video_codec.VideoCodec.training_step", untimely)
    words = ["--trainer.callbacks+=RateControl", "--trainer.callbacks.size=99B"]
    assert main(["fit", *TINY, *runs_in(tmp_path), *words]) == 2
    assert "the target of 99 bytes cannot be reached: header and side information" in capsys.readouterr().err


def test_a_refused_target_leaves_the_file_of_an_earlier_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["fit", *TINY, "--trainer.logger=false", "--trainer.max_epochs=1"]
    assert main(words) == 0
    before = Path("video.nvrc").read_bytes()
    assert main([*words, "--trainer.callbacks+=RateControl", "--trainer.callbacks.size=99B"]) == 2
    assert Path("video.nvrc").read_bytes() == before


def test_a_file_that_no_picture_gains_from_is_told(tmp_path, free_size, capsys):
    fit(tmp_path, "--trainer.callbacks+=RateControl", f"--trainer.callbacks.size={100 * free_size}", *MORE)
    warning = r"nvrc: warning: the file has [\d,]+ of [\d,]+ bytes: .* network is too small .* training too short .*\n"
    assert re.fullmatch(warning, capsys.readouterr().err)


def test_a_size_in_a_recipe_may_be_a_number(tmp_path, capsys):
    target = {"class_path": "RateControl", "init_args": {"size": 99}}
    (tmp_path / "target.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": [target]}}))
    assert main(["fit", "--config=nvrc_lite", f"--config={tmp_path / 'target.yaml'}", "--data.frames=0:2"]) == 2
    assert "the target of 99 bytes cannot be reached" in capsys.readouterr().err


def test_two_targets_are_one_line(tmp_path, capsys):
    words = ["--trainer.callbacks+=RateControl", "--trainer.callbacks.size=9kB"]
    assert main(["fit", *TINY, *runs_in(tmp_path), *words, *words]) == 2
    error = capsys.readouterr().err
    assert "one kind is there twice" in error
    assert error.count("\n") == 1


def test_a_target_before_the_stages_is_refused(tmp_path, capsys):
    config = yaml.safe_load(Path(TINY[-1]).read_text())
    config["trainer"]["callbacks"].insert(0, {"class_path": "RateControl", "init_args": {"size": "9kB"}})
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config=nvrc_lite", f"--config={tmp_path / 'overlay.yaml'}", *runs_in(tmp_path)]) == 2
    assert "RateControl must come after Stages" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{}, {"size": "1kB", "bpp": 0.1}, {"bpp": -0.1}, {"bpp": float("nan")}])
def test_wrong_targets_are_refused(options):
    with pytest.raises(ValueError, match="bpp"):
        RateControl(**options)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target-size=2 litres"], "size '2 litres' is not a number of bytes"),
        (["--target-bpp=-1"], "target of -1 bits for each pixel"),
        (["--target-bpp=0"], "target of 0 bits for each pixel"),
        (["--target-time=1m", "--epochs=3"], "a number of epochs or a target time"),
        (["--target-size=1kB", "--target-bpp=1"], "not both"),
    ],
)
def test_wrong_targets_are_one_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["encode", "bunny", "a.nvrc", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert files_in(tmp_path) == []
