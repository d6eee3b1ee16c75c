import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI

from nvrc_components.errors import InputError
from nvrc_lightning.data.datamodule import VideoDataModule
from nvrc_lightning.data.options import RawGeometry


class Recorder(lightning.LightningModule):
    """Notes which patches it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen, self.watched = [], []

    def training_step(self, batch):
        self.seen.append(batch.tolist())
        return self.weight.sum()

    def validation_step(self, batch):
        self.watched.append(batch.tolist())

    test_step = validation_step

    def predict_step(self, batch):
        return batch

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(tmp_path, **options):
    return lightning.Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **{"enable_checkpointing": False, **options},
    )


def module(**options):
    return VideoDataModule(**{"frames": "0:4", "patch": (64, 64), "batch_size": 5, "seed": 7, **options})


def test_packaged_clip_and_sizes():
    data = VideoDataModule()
    data.setup()
    assert (data.video.format.frames, data.train_size, data.steps_per_epoch) == (32, 32, 32)
    assert next(iter(data.train_dataloader())).shape == (1, 3)
    small = module(crop=(0, 0, 128, 128), size=(100, 80), patch=(40, 60))
    assert (small.video.format.width, small.video.format.height, small.train_size) == (100, 80, 16)
    assert small.steps_per_epoch == 4


def test_training_order_and_whole_frames(tmp_path):
    recorder, data = Recorder(), module()
    run = trainer(tmp_path, max_epochs=2)
    run.fit(recorder, data)
    assert data.steps_per_epoch == 5
    assert [len(batch) for batch in recorder.seen] == [5] * 10
    first = [tuple(patch) for batch in recorder.seen[:5] for patch in batch]
    second = [tuple(patch) for batch in recorder.seen[5:] for patch in batch]
    assert len(set(first[:24])) == len(set(second[:24])) == 24
    assert first != second
    assert recorder.watched[:4] == [[[frame, 0, 0]] for frame in range(4)]
    recorder.watched.clear()
    run.test(recorder, data, verbose=False)
    assert recorder.watched == [[[frame, 0, 0]] for frame in range(4)]
    assert torch.cat(run.predict(recorder, data)).tolist() == [[frame, 0, 0] for frame in range(4)]


@pytest.mark.parametrize("stop", [3, 5, 7, 10])
def test_resume_gives_the_uninterrupted_order(tmp_path, stop):
    whole = Recorder()
    trainer(tmp_path, max_steps=13, max_epochs=-1).fit(whole, module())
    early = Recorder()
    saver = ModelCheckpoint(tmp_path / "saved", every_n_train_steps=stop, save_top_k=-1, filename="a")
    trainer(tmp_path, max_steps=stop, max_epochs=-1, callbacks=[saver], enable_checkpointing=True).fit(early, module())
    late = Recorder()
    trainer(tmp_path, max_steps=13, max_epochs=-1).fit(
        late, module(), ckpt_path=tmp_path / "saved" / "a.ckpt", weights_only=False
    )
    assert early.seen + late.seen == whole.seen


def test_errors_name_the_way_out(tmp_path):
    with pytest.raises(InputError, match=r"patch 64x999 does not fit the frame of 128x192"):
        module(patch=(64, 999)).setup("fit")
    with pytest.raises(InputError, match="batch_size 0"):
        module(batch_size=0).setup("fit")
    with pytest.raises(InputError, match=r"frames 0:99 are outside the video, which has frames 0:32"):
        module(frames="0:99").setup("fit")
    with pytest.raises(InputError, match="is not start:stop"):
        module(frames="first ten")


def test_every_option_can_be_given_on_a_command_line(tmp_path):
    np.zeros(6 * 4 * 3 // 2 * 3, np.uint8).tofile(tmp_path / "a.yuv")
    text = (
        f"--data.path={tmp_path / 'a.yuv'} --data.raw.width=6 --data.raw.height=4 --data.raw.rate=30000/1001 "
        "--data.raw.matrix=BT2020 --data.raw.pix_fmt=yuv420p --data.frames=1: --data.crop=[2,0,4,4] "
        "--data.size=[8,8] --data.patch=[4,4] --data.batch_size=2 --data.seed=3"
    )
    data = LightningCLI(Recorder, VideoDataModule, run=False, args=text.split()).datamodule
    assert isinstance(data.raw, RawGeometry)
    fmt = data.video.format
    assert (fmt.width, fmt.height, fmt.frames, fmt.matrix.name, data.train_size) == (8, 8, 2, "BT2020", 8)
