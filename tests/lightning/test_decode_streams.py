"""Decoding holds a frame or two at a time, however many there are."""

import gc
import weakref

import pytest

from nvrc_components.bitstream.video_file import VideoFile, load
from nvrc_lightning.decode import decode
from tests.lightning.helpers import fit

FRAMES = 16


@pytest.fixture(scope="module", params=["RGB", "YUV444"])
def file(request, tmp_path_factory):
    yuv = ("--model.colour=YUV444", "--model.distortion=YuvDistortion") if request.param == "YUV444" else ()
    words = (f"--data.frames=0:{FRAMES}", "--trainer.max_epochs=1", *yuv)
    return fit(tmp_path_factory.mktemp("runs"), *words) / "video.nvrc"


class Counter:
    """Counts the frames that a generator gave and nobody has let go of."""

    def __init__(self, frames):
        self.frames, self.alive, self.most, self.total = frames, set(), 0, 0

    def __call__(self, *args):
        for frame in self.frames(*args):
            plane = frame[0] if isinstance(frame, tuple) else frame
            self.total += 1
            self.alive.add(self.total)
            weakref.finalize(plane, self.alive.discard, self.total)
            self.most = max(self.most, len(self.alive))
            yield frame
            del frame, plane


@pytest.mark.parametrize("output", ["out.y4m", "out.mkv", "out.mp4", "pictures"])
def test_frames_are_let_go_of_as_they_are_written(file, output, tmp_path, monkeypatch):
    counter = Counter(VideoFile.frames)
    monkeypatch.setattr(VideoFile, "frames", lambda *args: counter(*args))
    gc.collect()
    decode(file, tmp_path / output)
    assert counter.total == FRAMES
    assert counter.most <= 2


def test_frames_come_one_by_one(file):
    frames = load(file).frames()
    first = next(frames)
    assert (first[0] if isinstance(first, tuple) else first).shape[0] == 1
    frames.close()
