"""The file at the end, and those on the way there."""

import pytest
import torch

from nvrc_components.bitstream.video_file import load
from nvrc_lightning.callbacks.export import BitstreamExport
from nvrc_lightning.cli import main
from tests.lightning.helpers import TINY, checkpoint, differences, fit


def test_files_on_the_way_leave_training_alone(tmp_path, monkeypatch):
    whole = fit(tmp_path / "plain")
    written = []
    original = BitstreamExport._write

    def write(self, codec, file):
        original(self, codec, file)
        written.append((file.name, load(file).format.frames))

    monkeypatch.setattr(BitstreamExport, "_write", write)
    words = ["--trainer.callbacks+=BitstreamExport", "--trainer.callbacks.every_n_epochs=1"]
    words += ["--trainer.callbacks.path=more.nvrc", "--trainer.callbacks.fit_iterations=3"]
    both = fit(tmp_path / "both", *words)
    assert written == [("more.interim.nvrc", 4), ("video.nvrc", 4), ("more.nvrc", 4)]
    assert sorted(path.name for path in both.glob("*.nvrc")) == ["more.nvrc", "video.nvrc"]
    ours, theirs = checkpoint(both), checkpoint(whole)
    assert differences(ours["state_dict"], theirs["state_dict"]) == []
    assert differences(ours["optimizer_states"], theirs["optimizer_states"]) == []
    assert (both / "video.nvrc").read_bytes() == (whole / "video.nvrc").read_bytes()


def test_a_file_that_decodes_to_something_else_is_an_error(tmp_path, monkeypatch):
    def other(codec, index):
        return torch.zeros(1, 3, 48, 64, dtype=torch.uint8)

    monkeypatch.setattr("nvrc_lightning.callbacks.export.reconstruction", other)
    with pytest.raises(RuntimeError, match="frame 0 decodes to other values"):
        fit(tmp_path)


def test_a_file_elsewhere_is_not_replaced(tmp_path, capsys):
    (tmp_path / "mine.nvrc").write_bytes(b"mine")
    words = ["--trainer.callbacks+=BitstreamExport", f"--trainer.callbacks.path={tmp_path / 'mine.nvrc'}"]
    assert main(["fit", *TINY, f"--trainer.logger.save_dir={tmp_path / 'runs'}", *words]) == 2
    assert "mine.nvrc: already exists" in capsys.readouterr().err
    assert (tmp_path / "mine.nvrc").read_bytes() == b"mine"


@pytest.mark.parametrize("options", [{"every_n_epochs": -1}, {"fit_iterations": -1}])
def test_negative_numbers_are_refused(options):
    with pytest.raises(ValueError, match="must not be negative"):
        BitstreamExport(**options)
