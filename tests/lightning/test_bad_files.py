"""Files and outputs that cannot be used: one line, exit code 2, nothing lost and nothing left behind."""

import os
import resource
import subprocess
import sys

import av
import numpy as np
import pytest

from nvrc_lightning.cli import main
from tests.lightning.helpers import TINY, files_in, fit


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("runs"), "--trainer.max_epochs=1") / "video.nvrc"


def refused(capsys, *words):
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def sections_of(data):
    """Where each section's payload lies, by scanning for what the container module would read."""
    from nvrc_components.bitstream.container import unpack

    return {section.label: data.index(section.payload) for section in unpack(data)}


@pytest.mark.parametrize("label", ["header", "side", "group:grids", "group:weights"])
@pytest.mark.parametrize("command", ["decode", "info"])
def test_corrupted(file, tmp_path, capsys, label, command):
    data = bytearray(file.read_bytes())
    data[sections_of(bytes(data))[label] + 2] ^= 0x40
    (tmp_path / "bad.nvrc").write_bytes(data)
    output = [tmp_path / "out.y4m"] if command == "decode" else []
    assert f"section '{label}' is corrupted" in refused(capsys, command, tmp_path / "bad.nvrc", *output)
    assert files_in(tmp_path) == ["bad.nvrc"]


@pytest.mark.parametrize("keep", [0, 3, 40, 200, -3])
def test_truncated(file, tmp_path, capsys, keep):
    (tmp_path / "bad.nvrc").write_bytes(file.read_bytes()[:keep])
    error = refused(capsys, "decode", tmp_path / "bad.nvrc", tmp_path / "out.mkv")
    assert "bad.nvrc: " in error
    assert "truncated" in error or "not an NVRC file" in error
    assert files_in(tmp_path) == ["bad.nvrc"]


def test_foreign(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    assert "not an NVRC file" in refused(capsys, "info", tmp_path / "a.mp4")


def test_newer(file, tmp_path, capsys):
    data = bytearray(file.read_bytes())
    data[4] = 9
    (tmp_path / "new.nvrc").write_bytes(data)
    assert "made by a newer version 9" in refused(capsys, "info", tmp_path / "new.nvrc")


def test_frames_outside(file, tmp_path, capsys):
    error = refused(capsys, "decode", file, tmp_path / "out.y4m", "--frames", "2:9")
    assert "frames 2:9 are outside the video, which has frames 0:4" in error
    assert files_in(tmp_path) == []


def test_decode_keeps_what_exists(file, tmp_path, capsys):
    output = tmp_path / "out.y4m"
    output.write_bytes(b"mine")
    assert "already exists; choose another output or overwrite it with --force" in refused(
        capsys, "decode", file, output
    )
    assert output.read_bytes() == b"mine"
    assert main(["decode", str(file), str(output), "--force"]) == 0
    assert output.read_bytes()[:9] == b"YUV4MPEG2"


def test_encode_keeps_what_exists_and_says_so_before_training(tmp_path, capsys):
    (tmp_path / "a.nvrc").write_bytes(b"mine")
    assert "already exists" in refused(capsys, "encode", "bunny", tmp_path / "a.nvrc")
    assert (tmp_path / "a.nvrc").read_bytes() == b"mine"


@pytest.mark.parametrize("device", ["cuda:77", "meta", "nonsense"])
def test_decode_on_a_device_that_is_not_there(file, tmp_path, capsys, device):
    error = refused(capsys, "decode", file, tmp_path / "out.y4m", "--device", device)
    assert f"device {device!r} is not available here" in error


def audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("noise.mp4", b"certainly not a video" * 50, "noise.mp4"),
        ("empty.mkv", b"", "the file is empty"),
        ("none.y4m", b"YUV4MPEG2 W16 H16 F25:1 C420\n", "holds no frame"),
        ("audio.mkv", audio_only, "audio.mkv"),
        ("raw.yuv", bytes(1000), "a raw file does not know its size"),
        ("done.nvrc", b"NVRC", "is compressed already; 'nvrc decode "),
    ],
)
@pytest.mark.parametrize("command", ["fit", "encode"])
def test_videos_that_are_none(tmp_path, capsys, monkeypatch, name, content, expected, command):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    content(path) if callable(content) else path.write_bytes(content)
    words = ["encode", path, "a.nvrc"] if command == "encode" else ["fit", *TINY, f"--data.path={path}"]
    assert expected in refused(capsys, *words)
    assert files_in(tmp_path) == [name]


def test_raw_geometry_that_does_not_divide(tmp_path, capsys):
    (tmp_path / "raw.yuv").write_bytes(bytes(1000))
    words = [f"--data.path={tmp_path / 'raw.yuv'}", "--data.raw.width=16", "--data.raw.height=16"]
    assert "raw.yuv" in refused(capsys, "fit", *TINY, *words)


def test_a_folder_that_cannot_be_written(tmp_path, capsys, monkeypatch):
    # Not a matter of permissions alone: the administrator may write anywhere.
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not str(path).startswith(str(tmp_path)) and allowed(path, mode)
    )
    assert "cannot be written" in refused(capsys, "fit", *TINY, f"--trainer.logger.save_dir={tmp_path / 'locked'}")
    assert files_in(tmp_path) == []


def test_a_file_where_the_run_folder_should_be(tmp_path, capsys):
    (tmp_path / "taken").write_bytes(b"mine")
    error = refused(capsys, "fit", *TINY, f"--trainer.logger.save_dir={tmp_path / 'taken'}")
    assert "taken" in error
    assert "cannot be written" in error


def with_little_space(size, *words):
    """Run the program where no file can grow beyond a size, and return its only line on stderr."""

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [sys.executable, "-m", "nvrc_lightning.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=small_disk, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_no_space_leaves_no_part(file, tmp_path):
    assert "cannot be written" in with_little_space(4000, "decode", file, tmp_path / "out.y4m")
    assert files_in(tmp_path) == []


def test_no_space_for_a_checkpoint(tmp_path):
    assert "cannot be written" in with_little_space(30000, "fit", *TINY, f"--trainer.logger.save_dir={tmp_path}")
    assert not any(name.endswith((".ckpt", ".nvrc")) for name in files_in(tmp_path))
