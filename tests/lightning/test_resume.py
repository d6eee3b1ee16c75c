"""A run that was interrupted and goes on."""

import csv
import os
import signal
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import yaml
from lightning.pytorch.callbacks import Callback

from nvrc_lightning.cli import main
from nvrc_lightning.data.paths import PACKAGED
from nvrc_lightning.termination import terminate
from nvrc_lightning.training import NvrcCLI
from tests.lightning.helpers import TINY, checkpoint, differences, fit, latest


class SendSignal(Callback):
    """Does so in the middle of a step."""

    def __init__(self, step, number):
        self.step = step
        self.number = number

    def on_train_batch_start(self, trainer, *_):
        usual = (signal.default_int_handler, terminate)
        if trainer.global_step == self.step and signal.getsignal(self.number) not in usual:
            os.kill(os.getpid(), self.number)

    def on_train_epoch_end(self, trainer, *_):
        self.on_train_batch_start(trainer)


@pytest.fixture
def interrupt(monkeypatch):
    def after(step, number=signal.SIGINT):
        original = NvrcCLI.instantiate_trainer

        def instantiate_trainer(self, **kwargs):
            trainer = original(self, **kwargs)
            trainer.callbacks.insert(0, SendSignal(step, number))
            return trainer

        monkeypatch.setattr(NvrcCLI, "instantiate_trainer", instantiate_trainer)

    yield after
    monkeypatch.undo()


HERE = Path(__file__).parent
NVRC = (
    *("--config=nvrc", f"--config={HERE / 'few_steps.yaml'}", f"--config={HERE / 'few_iterations.yaml'}"),
    *("--data.patch=[48,32]", "--model.network.size=w32", "--trainer.max_epochs=4"),
    "--trainer.logger.name=nvrc_lite",
)
CONTROLLED = (
    "--trainer.callbacks+=RateControl",
    "--trainer.callbacks.bpp=4",
    "--trainer.callbacks.fit_iterations=3",
    "--trainer.max_epochs=4",
)
BALANCED = ("--trainer.callbacks+=StepBalance", "--trainer.callbacks.after=[3,5]", "--trainer.callbacks.probes=2")
LOGGED = ("--trainer.log_every_n_steps=1",)
ACCUMULATED = ("--trainer.accumulate_grad_batches=3", "--data.patch=[24,32]")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (2, LOGGED),  # in the middle of a stage and of an epoch, before a rate step
        (5, ()),  # step 4 ends an epoch
        (9, NVRC),  # after the first of two rate steps, in stage 1, of which five steps are left
        (5, CONTROLLED),  # lambda has moved
        (13, CONTROLLED),  # the last stage has begun with scaled steps
        (2, BALANCED),  # steps are balanced as the first thing after
        (2, ACCUMULATED),  # three batches a step, and one left over in each epoch
    ],
)
def test_resumed_equals_uninterrupted(tmp_path, interrupt, monkeypatch, capsys, step, words):
    whole = fit(tmp_path / "whole", *words)
    interrupt(step)
    assert main(["fit", *TINY, *words, f"--trainer.logger.save_dir={tmp_path / 'parts'}"]) == 130
    monkeypatch.undo()
    first = latest(tmp_path / "parts")
    saved = first / "checkpoints" / "last.ckpt"
    assert f"nvrc fit --ckpt_path {saved}" in capsys.readouterr().err
    assert checkpoint(first)["global_step"] == step + 1
    assert not (first / "video.nvrc").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert main(["fit", "--ckpt_path", str(saved)]) == 0
    ours, theirs = checkpoint(latest(tmp_path / "parts")), checkpoint(whole)
    assert differences(ours["state_dict"], theirs["state_dict"]) == []
    assert differences(ours["optimizer_states"], theirs["optimizer_states"]) == []
    assert (latest(tmp_path / "parts") / "video.nvrc").read_bytes() == (whole / "video.nvrc").read_bytes()
    assert losses(latest(tmp_path / "parts")).items() <= losses(whole).items()
    assert losses(whole) or words is not LOGGED


def losses(run):
    with (run / "metrics.csv").open(newline="") as file:
        return {row["step"]: row["loss"] for row in csv.DictReader(file) if row.get("loss")}


def test_a_terminated_fit_keeps_its_checkpoint_after_the_step_in_hand(tmp_path, interrupt, capsys):
    interrupt(2, signal.SIGTERM)
    assert main(["fit", *TINY, f"--trainer.logger.save_dir={tmp_path}"]) == 143
    saved = latest(tmp_path) / "checkpoints" / "last.ckpt"
    assert capsys.readouterr().err == f"nvrc: terminated; go on with: nvrc fit --ckpt_path {saved}\n"
    assert checkpoint(latest(tmp_path))["global_step"] == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_after_the_last_step_is_not_lost(tmp_path, interrupt, capsys):
    interrupt(8, signal.SIGTERM)
    assert main(["fit", *TINY, f"--trainer.logger.save_dir={tmp_path}"]) == 143
    saved = latest(tmp_path) / "checkpoints" / "last.ckpt"
    assert f"nvrc fit --ckpt_path {saved}" in capsys.readouterr().err
    assert not (latest(tmp_path) / "video.nvrc").exists()
    assert main(["fit", f"--ckpt_path={saved}"]) == 0
    assert (latest(tmp_path) / "video.nvrc").exists()


def test_a_resumed_fit_says_where_it_goes_on(tmp_path, capsys):
    saved = fit(tmp_path) / "checkpoints" / "last.ckpt"
    capsys.readouterr()
    assert main(["fit", f"--ckpt_path={saved}", "--trainer.max_epochs=3"]) == 0
    folder = latest(tmp_path)
    assert f"going on with step 9 of 12, in epoch 3; this run's folder: {folder}\n" in capsys.readouterr().out
    assert main(["fit", f"--ckpt_path={saved}"]) == 0
    ended = "nothing is left to train: 2 of 2 epochs are done; give more with --trainer.max_epochs; the file is written"
    assert capsys.readouterr().out.startswith(f"{ended} again, into {latest(tmp_path)}\n")
    assert latest(tmp_path) != folder


def test_a_resumed_fit_asks_for_a_video_that_it_no_longer_sees(tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with as_file(files("nvrc_lightning") / "assets" / PACKAGED["bunny"]) as clip:
        Path("clip.mkv").symlink_to(clip)
    saved = fit(tmp_path, "--data.path=clip.mkv", "--trainer.max_epochs=1") / "checkpoints" / "last.ckpt"
    monkeypatch.chdir(tmp_path)
    assert main(["fit", f"--ckpt_path={saved}"]) == 2
    expected = "clip.mkv: no such file from here; go to where the run began, or give --data.path\n"
    assert capsys.readouterr().err == f"nvrc: error: {expected}"


def test_a_fit_that_is_stopped_after_training_names_its_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "nvrc_lightning.callbacks.export.fit_for_export", lambda *_: os.kill(os.getpid(), signal.SIGTERM)
    )
    assert main(["fit", *TINY, f"--trainer.logger.save_dir={tmp_path}"]) == 143
    assert f"nvrc fit --ckpt_path {latest(tmp_path)}" in capsys.readouterr().err


def test_explicit_options_beat_the_checkpoint(tmp_path):
    first = fit(tmp_path)
    saved = first / "checkpoints" / "last.ckpt"
    words = ["--model.lmbda=0.9", "--model.rates.network=1e-5", "--model.rates.grids=2e-5", "--model.rates.codec=3e-5"]
    words += ["--trainer.max_epochs=3", f"--ckpt_path={saved}"]
    second = fit(tmp_path, *words)
    config = yaml.safe_load((second / "config.yaml").read_text())
    assert config["model"]["init_args"]["lmbda"] == 0.9
    groups = checkpoint(second)["optimizer_states"][0]["param_groups"]
    assert [group["peak_lr"] for group in groups] == [2e-5, 1e-5, 1e-5, 1e-5, 3e-5]
    assert "lambda 0.9" in (second / "result.json").read_text()


def test_a_checkpoint_of_another_optimiser_is_one_line(tmp_path, capsys):
    saved = fit(tmp_path) / "checkpoints" / "last.ckpt"
    capsys.readouterr()
    assert main(["fit", *TINY, "--model.muon=false", f"--ckpt_path={saved}"]) == 2
    error = capsys.readouterr().err
    assert "trained by another optimiser" in error
    assert error.count("\n") == 1
    assert main(["validate", *TINY, "--model.muon=false", f"--ckpt_path={saved}"]) == 0


def test_checkpoints_hold_plain_data_and_no_hyper_parameters(tmp_path):
    state = checkpoint(fit(tmp_path))  # loaded with weights_only
    assert "hyper_parameters" not in state
    assert "datamodule_hyper_parameters" not in state


def test_a_checkpoint_of_another_network_is_one_line(tmp_path, capsys):
    saved = fit(tmp_path) / "checkpoints" / "last.ckpt"
    capsys.readouterr()
    assert main(["fit", *TINY, "--model.network.size=xs", f"--ckpt_path={saved}"]) == 2
    error = capsys.readouterr().err
    assert "holds another network" in error
    assert error.count("\n") == 1


def test_no_checkpoint(tmp_path, capsys):
    assert main(["fit", *TINY, "--ckpt_path=nowhere.ckpt"]) == 2
    assert capsys.readouterr().err == "nvrc: error: nowhere.ckpt: no such checkpoint\n"
    (tmp_path / "bad.ckpt").write_bytes(b"PK\x03\x04 not quite")
    assert main(["fit", *TINY, f"--ckpt_path={tmp_path / 'bad.ckpt'}"]) == 2
    assert "not a checkpoint" in capsys.readouterr().err
    assert main(["fit", f"--ckpt_path={tmp_path / 'bad.ckpt'}"]) == 2
    assert "no config.yaml beside it" in capsys.readouterr().err
