"""When steps are balanced, in whole runs."""

from types import SimpleNamespace

import pytest
import torch
import yaml

from nvrc_components.compressed_module import CompressedModule
from nvrc_lightning.callbacks.step_balance import StepBalance
from tests.lightning.helpers import checkpoint, differences, fit


def overlay(folder, callbacks):
    folder.mkdir(exist_ok=True)
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    return f"--config={path}"


def callbacks(**options):
    noise = {"class_path": "QuantNoise", "init_args": {"ratio": 0.5}}
    stage = {"name": "a", "share": 1, "start": noise, "end": noise}
    stages = {"class_path": "Stages", "init_args": {"stages": [stage]}}
    saving = {"filename": "last", "save_on_train_epoch_end": True, "enable_version_counter": False}
    balance = {"class_path": "StepBalance", "init_args": options}
    return [stages, balance, {"class_path": "ModelCheckpoint", "init_args": saving}]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_steps_are_balanced_at_the_given_points_however_many_batches_a_step_has(tmp_path, monkeypatch, accumulate):
    seen = []
    original = CompressedModule.balance

    def balance(self, curvature):
        seen.append(sorted(name for name, value in curvature.items() if value.any()))
        original(self, curvature)

    monkeypatch.setattr(CompressedModule, "balance", balance)
    options = overlay(tmp_path, callbacks(after=[2, 5], probes=2))
    fit(tmp_path, options, "--trainer.max_epochs=4", f"--trainer.accumulate_grad_batches={accumulate}")
    assert len(seen) == 2
    assert "head.weight" in seen[0]


def test_probes_are_spread_over_the_whole_video():
    table = torch.cartesian_prod(torch.arange(30), torch.tensor([0, 12]), torch.tensor([0]))
    data = SimpleNamespace(batch_size=2, patches=SimpleNamespace(table=table))
    places = StepBalance(probes=5)._places(SimpleNamespace(datamodule=data, global_step=64))
    assert [tuple(each.shape) for each in places] == [(2, 3)] * 5
    assert torch.cat(places)[:, 0].div(3, rounding_mode="floor").unique().numel() == 10


def test_balanced_steps_are_what_training_goes_on_from(tmp_path):
    with_it = fit(tmp_path / "a", overlay(tmp_path / "a", callbacks(after=[4], probes=2)))
    without = fit(tmp_path / "b", overlay(tmp_path / "b", callbacks(after=[], probes=2)))
    changed = differences(checkpoint(with_it)["state_dict"], checkpoint(without)["state_dict"])
    assert any("quantizer" in name for name in changed)
    assert all(torch.isfinite(value).all() for value in checkpoint(with_it)["state_dict"].values())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"after": [64, 0]}, r"after is \[64, 0\]"), ({"probes": 0}, "probes is 0")],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        StepBalance(**options)
