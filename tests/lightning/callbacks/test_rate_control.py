"""A wanted size, in whole runs."""

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
    with pytest.raises(InputError, match=r"cannot be made as small as 420 bytes: .* --size xs"):
        encode("bunny", tmp_path / "a.nvrc", frames="0:4", target_size="420B", options=(*TINY[2:], MORE[1]))
    assert files_in(tmp_path) == []


def test_an_interim_file_over_the_target_does_not_stay(tmp_path, capsys):
    config = yaml.safe_load(Path(TINY[-1]).read_text())
    config["trainer"]["callbacks"][2]["init_args"]["every_n_epochs"] = 1
    config["trainer"]["callbacks"].append(
        {"class_path": "RateControl", "init_args": {"size": "420B", "fit_iterations": 3}}
    )
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config=nvrc_lite", f"--config={tmp_path / 'overlay.yaml'}", *runs_in(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "cannot be made as small as 420 bytes" in error
    assert "checkpoints" in files_in(latest(tmp_path))
    assert not list(tmp_path.rglob("*.nvrc"))


def test_a_target_below_the_header_is_refused_before_training(tmp_path, capsys, monkeypatch):
    def untimely(*_):
        raise AssertionError("a step was taken")

    monkeypatch.setattr("nvrc_lightning.modules.video_codec.VideoCodec.training_step", untimely)
    words = ["--trainer.callbacks+=RateControl", "--trainer.callbacks.size=99B"]
    assert main(["fit", *TINY, *runs_in(tmp_path), *words]) == 2
    assert "the target of 99 bytes cannot be reached: header and side information" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{}, {"size": "1kB", "bpp": 0.1}, {"bpp": -0.1}, {"bpp": float("nan")}])
def test_wrong_targets_are_refused(options):
    with pytest.raises(ValueError, match="bpp"):
        RateControl(**options)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target-size=2 litres"], "size '2 litres' is not a number of bytes"),
        (["--target-bpp=-1"], "bpp is -1.0"),
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
