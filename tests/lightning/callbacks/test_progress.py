import io

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from rich.console import Console
from torch.utils.data import DataLoader

from nvrc_lightning.callbacks import progress
from nvrc_lightning.callbacks.progress import Progress, status_line


class _Module(LightningModule):
    stage_name = "round"

    def __init__(self, fails=False):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.fails = fails

    def training_step(self, batch, batch_idx):
        if self.fails:
            raise RuntimeError("broken on purpose")
        loss = self.weight**2
        self.log("loss", loss.detach(), prog_bar=True)
        self.log_dict({"bpp": 0.0912, "psnr": 31.2})
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def _fit(folder, callback, fails=False, **options):
    trainer = Trainer(
        callbacks=[callback],
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        **({"max_epochs": 3} | options),
    )
    trainer.fit(_Module(fails), DataLoader(torch.zeros(4)))


def test_plain_lines_where_there_is_no_terminal(tmp_path, capfd):
    _fit(tmp_path, Progress(plain_seconds=0))
    lines = [line for line in capfd.readouterr().out.splitlines() if "epoch" in line]
    assert len(lines) == 3 * 4  # the last is not shown again when training ends
    assert lines[0].startswith("round  epoch 1/3  loss 1.0000  0.0912 bpp  31.20 dB")
    assert lines[-1].startswith("round  epoch 3/3")
    assert lines[-1].endswith("done")
    assert not any(character in line for line in lines for character in "\x1b\r")


def test_plain_lines_are_rare(tmp_path, capfd):
    _fit(tmp_path, Progress())
    assert capfd.readouterr().out.count("epoch") == 1


def test_a_bar_on_a_terminal(tmp_path, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda: Console(file=screen, force_terminal=True, width=100))
    _fit(tmp_path, Progress(refresh_seconds=0))
    assert "epoch 3/3" in screen.getvalue()
    assert "0.0912 bpp" in screen.getvalue()


def test_the_terminal_is_released_when_training_fails(tmp_path, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda: Console(file=screen, force_terminal=True, width=100))
    bar = Progress()
    with pytest.raises(RuntimeError, match="on purpose"):
        _fit(tmp_path, bar, fails=True)
    assert screen.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_disabled_is_silent(tmp_path, capfd):
    bar = Progress(plain_seconds=0)
    bar.disable()
    _fit(tmp_path, bar)
    assert "epoch" not in capfd.readouterr().out


def test_runs_without_a_last_epoch(tmp_path, capfd):
    _fit(tmp_path, Progress(plain_seconds=0), max_epochs=-1, max_steps=6)
    lines = [line for line in capfd.readouterr().out.splitlines() if "epoch" in line]
    assert lines[4].startswith("round  epoch 2  loss")
    assert "left" not in lines[4]


def test_the_line_shows_what_there_is():
    assert status_line("", {}, 0.0, 5, None) == "epoch 1/5"
    full = status_line("stage 1", {"loss": torch.tensor(0.12341), "bpp": 0.5, "psnr": 30}, 11.5, 300, 200.0)
    assert full == "stage 1  epoch 12/300  loss 0.1234  0.5000 bpp  30.00 dB  3 min 20 s left"
    assert len(full) <= 80
    assert status_line("", {}, 4.9, 5, 0.3) == "epoch 5/5  1 s left"
