"""Two processes that train together give what one gives."""

import csv
import os
import subprocess
import sys

import pytest
import torch

from nvrc_components.bitstream.video_file import load
from tests.lightning.helpers import TINY, checkpoint, latest


def run(folder, devices, *further):
    """Fit in fresh processes, because Lightning starts the others from the command line of the first."""
    words = [*TINY, "--data.batch_size=2", "--trainer.accelerator=cpu", f"--trainer.devices={devices}", *further]
    command = [sys.executable, "-m", "nvrc_lightning.cli", "fit", *words, f"--trainer.logger.save_dir={folder}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return latest(folder), done


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    balance = ("--trainer.callbacks+=StepBalance", "--trainer.callbacks.after=[2]", "--trainer.callbacks.probes=2")
    one, _ = run(tmp_path / "one", 1, *balance)
    two, done = run(tmp_path / "two", 2, *balance)
    assert done.stdout.count("PSNR-RGB") == 1
    assert "Warning" not in done.stdout + done.stderr
    ours, theirs = checkpoint(two)["state_dict"], checkpoint(one)["state_dict"]
    assert ours.keys() == theirs.keys()
    assert torch.equal(ours["compressed.step"], theirs["compressed.step"])
    for name, value in theirs.items():
        torch.testing.assert_close(
            ours[name], value, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )
    for frame, other in zip(load(two / "video.nvrc").frames(), load(one / "video.nvrc").frames(), strict=True):
        assert (frame.int() - other.int()).abs().max() <= 2


@pytest.mark.slow
def test_a_process_without_a_frame_of_its_own_to_validate_on_counts_for_nothing(tmp_path):
    words = ["--data.frames=0:2", "--data.batch_size=3", "--trainer.check_val_every_n_epoch=1"]
    one, three = (_scores(run(tmp_path / str(devices), devices, *words)[0]) for devices in (1, 3))
    assert len(one) == 2
    assert three == pytest.approx(one, abs=1e-3)


def _scores(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [float(row["val_psnr"]) for row in csv.DictReader(file) if row["val_psnr"]]
