"""From a video to a file and back, by way of the program."""

import csv
import json
import tempfile

import pytest
import torch

from nvrc_components.bitstream.video_file import load
from nvrc_components.functional.color import planes_to_rgb
from nvrc_lightning.cli import main
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.evaluation.result import Result
from nvrc_lightning.info import describe
from tests.lightning.helpers import TINY, files_in, fit


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def file(run):
    return run / "video.nvrc"


def test_result_is_of_the_file(run, file):
    result = Result.from_json(run / "result.json")
    assert result.rate.file_bytes == file.stat().st_size
    assert sum(result.rate.sections.values()) == result.rate.file_bytes - 11
    assert abs(result.rate.file_bytes - result.rate.estimated_bytes) <= 0.005 * result.rate.file_bytes + 64
    assert result.rate.pixels == 4 * 64 * 48
    assert result.scores.frames == 4
    assert list(result.cost.encode_seconds) == [
        "setup",
        "soft rounding",
        "quant-noise",
        "entropy fit",
        "coding",
        "verification",
    ]
    assert result.run.seed == 0
    assert result.cost.parameters == sum(p.numel() for p in load(file).compressed.module.parameters())
    assert result.cost.macs_per_pixel > 0
    assert json.loads((run / "result.json").read_text())["rate"]["bpp"] == pytest.approx(result.rate.bpp)


@pytest.mark.parametrize("output", ["video.y4m", "video.mkv", "pictures"])
def test_decode_writes_every_kind(file, tmp_path, output):
    assert main(["decode", str(file), str(tmp_path / output)]) == 0
    video = read_video(tmp_path / output)
    assert (video.format.frames, video.format.height, video.format.width) == (4, 48, 64)


def test_decode_gives_the_frames_of_the_file(file, tmp_path):
    assert main(["decode", str(file), str(tmp_path / "pictures"), "--device", "cpu"]) == 0
    decoded = torch.cat([frame for frame in load(file).frames() if isinstance(frame, torch.Tensor)])
    assert torch.equal(read_video(tmp_path / "pictures").rgb(), decoded)


def test_decode_some_frames(file, tmp_path):
    assert main(["decode", str(file), str(tmp_path / "all")]) == 0
    assert main(["decode", str(file), str(tmp_path / "some"), "--frames", "1:3"]) == 0
    whole, part = read_video(tmp_path / "all").rgb(), read_video(tmp_path / "some").rgb()
    assert torch.equal(part, whole[1:3])
    assert files_in(tmp_path / "some") == ["frame_000001.png", "frame_000002.png"]


def test_info_adds_up(file, capsys):
    description = describe(file)
    assert sum(section.size for section in description.sections) == file.stat().st_size
    assert sum(section.share for section in description.sections) == pytest.approx(1)
    *parts, total = description.parts
    assert sum(section.parameters for section in description.sections) == total.parameters
    assert sum(part.macs_per_pixel for part in parts) == pytest.approx(total.macs_per_pixel)
    assert sum(coding.tensors for coding in description.codings) == len(list(load(file).compressed.tensor_codecs()))
    grids = next(coding for coding in description.codings if coding.group == "grids")
    assert grids.entropy_models == ("OctreeContext (10 passes, 0 hidden units)",)
    assert main(["info", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "DualAxisGaussian (from 32 elements on)" in printed
    assert all(section.name in printed for section in description.sections)
    assert "64x48" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_a_fit_says_nothing_but_its_own(tmp_path, capfd):
    fit(tmp_path)
    out, err = capfd.readouterr()
    assert err == ""
    for noise in ("Warning", "warning", "GPU", "TPU", "Tip", "Seed set", "max_epochs"):
        assert noise not in out
    done, fitting, writing, *_ = out.splitlines()
    assert done.endswith("done")
    assert fitting == "fitting the entropy models to the final parameters"
    assert writing == "coding the file, decoding and checking it"
    assert "PSNR-RGB" in out
    assert "video.nvrc" in out


def test_a_fast_dev_run_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["fit", *TINY, "--trainer.fast_dev_run=true"]) == 0
    out = capsys.readouterr().out
    assert "PSNR-RGB" in out
    assert "wrote" not in out
    assert files_in(tmp_path) == []


def test_a_run_of_a_few_steps_has_curves(run):
    with (run / "metrics.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file) if row["loss"]] == ["0", "1"]


def test_a_second_run_gets_a_folder_of_its_own(tmp_path):
    first, second = fit(tmp_path), fit(tmp_path)
    assert (first.name, second.name) == ("version_0", "version_1")
    assert (first / "video.nvrc").read_bytes() == (second / "video.nvrc").read_bytes()


def test_a_video_coded_as_yuv(tmp_path):
    words = ["--model.colour=YUV444", "--model.distortion=YuvDistortion", "--trainer.callbacks+=Preview"]
    run = fit(tmp_path, *words, "--trainer.precision=bf16-mixed", "--data.patch=[24,32]")
    file = load(run / "video.nvrc")
    luma, u, v = next(file.frames())
    assert (luma.shape, u.shape, v.shape) == ((1, 48, 64), (1, 24, 32), (1, 24, 32))
    shown = read_video(run / "preview.png").rgb()[0, :, 4:52, 72:136]
    decoded = planes_to_rgb((luma, u, v), file.format)[0]
    assert (shown.int() - decoded.int()).float().abs().mean() < 2


@pytest.mark.parametrize("command", ["validate", "test"])
def test_checkpoints_can_be_scored(run, command, capsys):
    checkpoint = run / "checkpoints" / "last.ckpt"
    assert main([command, "--ckpt_path", str(checkpoint)]) == 0
    assert "psnr" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", *TINY, "--seed_everything=-1"], "the seed (--seed, --seed_everything) must be from 0 to 4294967295"),
        (
            ["fit", *TINY, "--config=nvrc", "--data.patch=[3,9]"],
            "MS-SSIM needs patches of at least 5x5 pixels, not 9x3",
        ),
        (["validate", *TINY], "validate scores a checkpoint; give one with --ckpt_path"),
    ],
)
def test_what_cannot_work_is_said_before_there_is_a_folder(tmp_path, capsys, words, message):
    assert main([*words, f"--trainer.logger.save_dir={tmp_path}"]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_options_beat_recipes_wherever_they_stand(capsys):
    assert main(["fit", "--model.lmbda=16", "--data.path=my.mp4", *TINY, "--print_config"]) == 0
    printed = capsys.readouterr().out
    assert "lmbda: 16.0" in printed
    assert "path: my.mp4" in printed


def test_callbacks_can_be_added(capsys):
    words = ["--trainer.callbacks+=Preview", "--trainer.callbacks.every_n_epochs=7", *TINY, "--print_config"]
    assert main(["fit", *words]) == 0
    printed = capsys.readouterr().out
    assert printed.index("stages.Stages") < printed.index("preview.Preview")
    assert "every_n_epochs: 7" in printed
