from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from nvrc_components.errors import InputError
from nvrc_lightning.callbacks.preview import Preview, comparison, write_png
from nvrc_lightning.data.reader import read_video

CLIP = Path(__file__).parents[3] / "nvrc_lightning/assets/bunny_192x128_32f.mkv"


class _Data(LightningDataModule):
    def __init__(self):
        super().__init__()
        self.video = read_video(CLIP)

    def train_dataloader(self):
        return DataLoader(torch.arange(self.video.format.frames), batch_size=16)


class _Grey(LightningModule):
    """Learns one grey level."""

    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.2))
        self.rendered = []

    def render_rgb(self, frames):
        self.rendered.append(frames.tolist())
        assert not torch.is_grad_enabled()
        return self.level.expand(len(frames), 3, 128, 192)

    def training_step(self, batch, batch_idx):
        return (self.level - 0.5) ** 2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def _fit(folder, logger, callback, epochs=3):
    module = _Grey()
    trainer = Trainer(
        max_epochs=epochs,
        logger=logger,
        callbacks=[callback],
        default_root_dir=folder,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=_Data())
    return module


def _read(path):
    with av.open(str(path)) as container:
        return torch.from_numpy(next(container.decode(video=0)).to_ndarray(format="rgb24")).permute(2, 0, 1)


def test_preview_is_written_in_turn_and_after_the_last_epoch(tmp_path):
    module = _fit(tmp_path, False, Preview(every_n_epochs=2))
    assert module.rendered == [[5, 16, 26], [5, 16, 26]]
    picture = _read(tmp_path / "preview.png")
    assert picture.shape == (3, 3 * (128 + 4) + 4, 3 * (192 + 4) + 4)
    source = read_video(CLIP).rgb()[16]
    assert torch.equal(picture[:, 136:264, 4:196], source)
    level = round(module.level.item() * 255)
    assert picture[:, 136:264, 200:392].unique().tolist() == [level]
    assert [path.name for path in tmp_path.glob("*png")] == ["preview.png"]


def test_preview_reaches_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path, name="run", version="a")
    _fit(tmp_path, logger, Preview(every_n_epochs=1, frames=1), epochs=1)
    events = EventAccumulator(str(tmp_path / "run/a"))
    events.Reload()
    (image,) = events.Images("preview")
    assert (image.height, image.width) == (136, 592)
    assert (tmp_path / "run/a/preview.png").is_file()


def test_more_frames_than_the_video_has(tmp_path):
    module = _fit(tmp_path, False, Preview(frames=100), epochs=1)
    assert module.rendered == [list(range(32))]


def test_difference_is_amplified_around_mid_grey():
    source, decoded = torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), 0.5625)
    picture = comparison(source, decoded)
    assert picture.shape == (3, 10, 22)
    assert picture[:, 4:6, 4:6].unique().tolist() == [128]
    assert picture[:, 4:6, 16:18].unique().tolist() == [round(0.75 * 255)]
    assert picture[:, :4].unique().tolist() == [255]


def test_only_rank_zero_renders():
    trainer = SimpleNamespace(is_global_zero=False, current_epoch=0, max_epochs=1)
    Preview().on_train_epoch_end(trainer, None)


@pytest.mark.parametrize("options", [{"every_n_epochs": 0}, {"frames": 0}])
def test_meaningless_options_are_refused(options):
    with pytest.raises(ValueError, match="at least 1"):
        Preview(**options)


def test_a_picture_is_replaced_only_on_request(tmp_path):
    picture = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
    write_png(picture, tmp_path / "a.png")
    assert torch.equal(_read(tmp_path / "a.png"), picture)
    with pytest.raises(InputError, match="already exists"):
        write_png(picture, tmp_path / "a.png")
