"""Decoding needs nothing of training, and gives the encoder's frames in any process."""

import hashlib
import subprocess
import sys

import pytest

from tests.lightning.helpers import fit

WITHOUT_LIGHTNING = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("lightning", "pytorch_lightning", "lightning_fabric", "torchmetrics", "jsonargparse"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
import torch
torch.set_num_threads(int(sys.argv[1]))
from nvrc_lightning.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    # The export compares every decoded frame with the encoder's before it reports success.
    return fit(tmp_path_factory.mktemp("runs")) / "video.nvrc"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_same_frames_without_lightning_and_with_other_threads(file, tmp_path):
    digests = set()
    for threads in ("1", "2"):
        output = tmp_path / f"{threads}.y4m"
        command = [sys.executable, "-c", WITHOUT_LIGHTNING, threads, "decode", str(file), str(output)]
        done = subprocess.run([*command, "--device=cpu"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        digests.add(digest(output))
    assert len(digests) == 1


def test_info_without_lightning(file):
    command = [sys.executable, "-c", WITHOUT_LIGHTNING, "1", "info", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "NvrcLite" in done.stdout
