"""`encode`: one call from a video to a file."""

import os
import signal
from pathlib import Path

import pytest

from nvrc_lightning.cli import main
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.decode import decode
from nvrc_lightning.encode import encode
from nvrc_lightning.info import describe
from tests.lightning.helpers import TINY, files_in


def test_encode_then_decode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = encode("bunny", "a.nvrc", recipe=f"nvrc_lite+{TINY[-1]}", epochs=1, frames="0:3", lmbda=2)
    assert files_in(tmp_path) == ["a.nvrc"]
    assert result.rate.file_bytes == Path("a.nvrc").stat().st_size
    assert result.codec == "NvrcLite lambda 2"
    fmt = decode("a.nvrc", "a.mkv", device="cpu")
    assert (fmt.frames, fmt.height, fmt.width) == (3, 48, 64)
    assert read_video("a.mkv").format.frames == 3
    assert describe("a.nvrc").format.frames == 3


def test_encode_by_the_program(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--epochs=1", "--frames=0:2", "--size=xxs", "--device=cpu", "--seed=3", "--lambda=2"]
    assert main(["encode", "bunny", "a.nvrc", *words]) == 0
    out, err = capsys.readouterr()
    without = "the stage quant-noise had none of them, and the result is worse for it"
    advice = "train for longer (--epochs, --trainer.max_epochs)"
    assert err == f"nvrc: warning: 2 training steps are too few: {without}; {advice}\n"
    assert out.endswith("wrote a.nvrc\n")
    assert main(["encode", "bunny", "a.nvrc", *words]) == 2
    assert main(["encode", "bunny", "a.nvrc", "--force", *words]) == 0
    assert files_in(tmp_path) == ["a.nvrc"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_encoding_that_is_told_to_end_leaves_nothing(number, code, tmp_path, monkeypatch, capsys):
    def told_to_end(*_):
        assert len(files_in(tmp_path)) == 1  # where the file is to be written
        os.kill(os.getpid(), number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nvrc_lightning.training.train", told_to_end)
    before = signal.getsignal(number)
    assert main(["encode", "bunny", "a.nvrc"]) == code
    assert "nothing was written; 'nvrc fit' keeps checkpoints" in capsys.readouterr().err
    assert files_in(tmp_path) == []
    assert signal.getsignal(number) is before


def test_other_options_reach_the_recipe(tmp_path, monkeypatch):
    seen = []

    def refuse(words):
        seen.extend(words)
        raise KeyboardInterrupt

    monkeypatch.setattr("nvrc_lightning.training.train", refuse)
    monkeypatch.setattr("nvrc_lightning.decode.choose_device", lambda name: None)
    with pytest.raises(KeyboardInterrupt):
        encode("bunny", tmp_path / "a.nvrc", seed=5, device="cuda:1", size="s", options=("--data.batch_size=2",))
    for word in (
        "--data.path=bunny",
        "--seed_everything=5",
        "--data.seed=5",
        "--trainer.accelerator=gpu",
        "--trainer.devices=[1]",
        "--model.network.size=s",
        "--data.batch_size=2",
    ):
        assert word in seen
