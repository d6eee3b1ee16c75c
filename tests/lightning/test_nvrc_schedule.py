"""NVRC's recipe trains as its paper says (section 3.4) and, where it says nothing, as its code does."""

import math
from pathlib import Path

import pytest
import yaml

from nvrc_components.quantizers import QuantNoise, SoftRoundKumaraswamy
from nvrc_lightning.callbacks.stages import Stages
from nvrc_lightning.cli import main

FEW_STEPS = Path(__file__).with_name("few_steps.yaml")
STEPS = 78  # two frames, 39 epochs: each step stands for five epochs of the published 390


def cosine(first, last, progress):
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def published(epoch):
    """Learning rate, weight decay and surrogate at an epoch."""
    if epoch < 360:
        rate = 1e-5 + (2e-3 - 1e-5) * epoch / 30 if epoch < 30 else cosine(2e-3, 1e-4, (epoch - 30) / 330)
        progress = epoch / 360
        return rate, 1e-6 * (1 - progress), {"temperature": 0.5 - 0.2 * progress, "shape": 2 - progress}
    epoch -= 360
    rate = 1e-5 + (1e-4 - 1e-5) * epoch / 5 if epoch < 5 else cosine(1e-4, 1e-5, (epoch - 5) / 25)
    return rate, 0.0, {"ratio": 0.5 + 0.5 * epoch / 30}


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """What every step of the recipe was taken with: parameter groups, surrogate."""
    records = []
    original = Stages.on_train_batch_start

    def start(self, trainer, module, *rest):
        original(self, trainer, module, *rest)
        groups = [(len(g["params"]), g["lr"], g["weight_decay"]) for g in trainer.optimizers[0].param_groups]
        records.append((groups, module.compressed.surrogate))

    folder = tmp_path_factory.mktemp("runs")
    words = ("--data.patch=[48,64]", "--trainer.max_epochs=39", f"--trainer.logger.save_dir={folder}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stages, "on_train_batch_start", start)
        configs = ("--config=nvrc", f"--config={FEW_STEPS}")
        assert main(["fit", *configs, *words]) == 0
    return records


def test_learning_rates_warm_up_and_fall_along_cosines(steps):
    assert len(steps) == STEPS
    for step, (groups, _) in enumerate(steps):
        rate = published(5 * step)[0]
        *_, codec = rates = [rate for _, rate, _ in groups]
        assert rates[:-1] == pytest.approx([rate] * (len(rates) - 1), rel=1e-4)
        assert codec == pytest.approx(rate / math.log(2), rel=0.01)


def test_weights_alone_decay_and_less_and_less(steps):
    for step, (groups, _) in enumerate(steps):
        decays = [decay for _, _, decay in groups]
        assert sorted(decays)[:-1] == [0.0] * (len(decays) - 1)
        assert max(decays) == pytest.approx(published(5 * step)[1], abs=1e-12)


def test_surrogates_anneal(steps):
    for step, (_, surrogate) in enumerate(steps):
        assert type(surrogate) is (SoftRoundKumaraswamy if step < 72 else QuantNoise)
        for name, value in published(5 * step)[2].items():
            assert getattr(surrogate, name) == pytest.approx(value)


def test_the_rest_is_as_published(capsys):
    assert main(["fit", "--config=nvrc", "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    callbacks = {each["class_path"].rpartition(".")[2]: each["init_args"] for each in config["trainer"]["callbacks"]}
    assert (data["patch"], data["batch_size"]) == ([120, 120], 144)
    assert callbacks["RateSteps"]["every"] == 8
    assert model["gradient_clip"] == 1.0
    assert model["distortion"]["init_args"] == {"l1": 0.7, "ms_ssim": 0.3, "window": 5}
