"""Which weights are pruned, and that they stay so."""

import pytest
import torch
import yaml

from nvrc_components.bitstream.video_file import load
from nvrc_lightning.callbacks.pruning import MagnitudePruning
from nvrc_lightning.cli import main
from tests.lightning.helpers import TINY, differences, latest

NOISE = {"class_path": "QuantNoise", "init_args": {"ratio": 0.9}}
STAGES = [
    {"name": "dense", "share": 3, "start": NOISE, "end": NOISE},
    {"name": "pruning", "share": 2, "start": NOISE, "end": NOISE},
    {"name": "fine", "share": 3, "start": NOISE, "end": NOISE, "calibrate": True},
]
SAVING = {"filename": "{step}", "save_top_k": -1, "every_n_train_steps": 1}


def words(folder, share=0.2, stage="pruning"):
    """Write an overlay that prunes the tiny recipe from its fourth step of eight on; return the options."""
    callbacks = [
        {"class_path": "MagnitudePruning", "init_args": {"share": share, "stage": stage}},
        {"class_path": "Stages", "init_args": {"stages": STAGES}},
        {"class_path": "RateSteps", "init_args": {"every": 2}},
        {"class_path": "BitstreamExport", "init_args": {"fit_iterations": 3}},
        {"class_path": "ModelCheckpoint", "init_args": SAVING},
    ]
    folder.mkdir()
    (folder / "overlay.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    return [*TINY, f"--config={folder / 'overlay.yaml'}", f"--trainer.logger.save_dir={folder}"]


def weights_of(parameters):
    return {name: tensor for name, tensor in parameters.items() if name.endswith("weight") and tensor.dim() > 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruning") / "run"
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # with the first, PyTorch wraps the step of the whole class
    assert main(["fit", *words(folder)]) == 0
    return latest(folder)


def state(run, step):
    """Return theta after a number of steps."""
    saved = torch.load(next(run.glob(f"checkpoints/step={step}.ckpt")), weights_only=True)
    prefix = "compressed.module."
    return {name.removeprefix(prefix): v for name, v in saved["state_dict"].items() if name.startswith(prefix)}


def test_a_share_of_all_parameters_is_pruned_and_stays_so(run):
    before, last = state(run, 3), state(run, 8)
    count = sum(tensor.numel() for tensor in before.values())
    assert not any((tensor == 0).any() for tensor in weights_of(before).values())
    zeros = {name: tensor == 0 for name, tensor in weights_of(last).items()}
    assert sum(int(mask.sum()) for mask in zeros.values()) == round(0.2 * count)
    for step in range(4, 9):
        assert all(torch.equal(tensor == 0, zeros[name]) for name, tensor in weights_of(state(run, step)).items())
    others = [tensor for name, tensor in last.items() if name not in zeros]
    assert not any((tensor == 0).all() for tensor in others)


def test_the_least_scores_are_pruned(run):
    before, after = weights_of(state(run, 3)), weights_of(state(run, 4))
    scores = {name: tensor.abs() / tensor.numel() ** 0.5 for name, tensor in before.items()}
    kept = min(scores[name][tensor != 0].min() for name, tensor in after.items())
    assert max(scores[name][tensor == 0].max() for name, tensor in after.items() if (tensor == 0).any()) <= kept


def test_pruned_weights_are_zero_in_the_file(run):
    decoded = load(run / "video.nvrc").compressed.module.state_dict()
    for name, tensor in weights_of(state(run, 8)).items():
        assert (decoded[name][tensor == 0] == 0).all()


@pytest.mark.parametrize("step", [3, 4, 6])
def test_resumed_equals_uninterrupted(run, tmp_path, step):
    saved = next(run.glob(f"checkpoints/step={step}.ckpt"))
    assert main(["fit", *words(tmp_path / "resumed"), f"--ckpt_path={saved}"]) == 0
    again = latest(tmp_path / "resumed")
    assert differences(state(again, 8), state(run, 8)) == []
    assert (again / "video.nvrc").read_bytes() == (run / "video.nvrc").read_bytes()


def test_mistakes_are_one_line(tmp_path, capsys):
    assert main(["fit", *words(tmp_path / "stage", stage="prunning")]) == 2
    assert "there is no stage 'prunning'; Stages has dense, pruning, fine" in capsys.readouterr().err
    assert main(["fit", *words(tmp_path / "share", share=0.99)]) == 2
    assert "0.99 of the network is more than the parameters '*weight' have" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        MagnitudePruning(share=1.5)
