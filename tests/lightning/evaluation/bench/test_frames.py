import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.video_format import ColourMatrix
from nvrc_lightning.data.options import NO_GEOMETRY, RawGeometry
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.evaluation.bench.frames import frames_of
from nvrc_lightning.evaluation.bench.reference import open_reference, read_references, write_reference
from nvrc_lightning.evaluation.conventional import encode_conventional
from nvrc_lightning.evaluation.encoders import ConventionalCodec
from nvrc_lightning.evaluation.metrics import score
from tests.lightning.evaluation.bench.helpers import make_point

CLIP = Path(__file__).parents[4] / "nvrc_lightning/assets/bunny_192x128_32f.mkv"


def test_frames_of_a_point_are_those_that_were_scored(tmp_path):
    video = read_video(CLIP).trim(0, 6)
    coded = encode_conventional(video, ConventionalCodec("x264", 30, "veryfast"), tmp_path / "a.mkv")
    point = make_point()
    point = replace(point, stream="a.mkv", result=replace(point.result, scores=coded.scores))
    frames = frames_of(point, tmp_path, [0, 1, 2, 3, 4, 5])
    assert score([frames], video).psnr_rgb_per_frame == coded.scores.psnr_rgb_per_frame
    assert torch.equal(frames_of(point, tmp_path, [4, 1, 4]), frames[[4, 1, 4]])
    with pytest.raises(InputError, match="frame 6 is outside its frames 0:6"):
        frames_of(point, tmp_path, [6])


def test_the_reference_is_found_again_from_the_folder(tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(CLIP, tmp_path / "in/clip.mkv")
    reference, video = open_reference(str(tmp_path / "in/clip.mkv"), tmp_path / "out", "2:5")
    assert reference.video == "clip.mkv 2:5"
    assert reference.path == "../in/clip.mkv"
    write_reference(reference, tmp_path / "out")
    (tmp_path / "moved").mkdir()
    (tmp_path / "in").rename(tmp_path / "moved/in")
    (tmp_path / "out").rename(tmp_path / "moved/out")
    found = read_references(tmp_path / "moved/out")
    assert found == {"clip.mkv 2:5": reference}
    again = found["clip.mkv 2:5"].read(tmp_path / "moved/out")
    assert all(torch.equal(*pair) for pair in zip(again.planes, video.planes, strict=True))


def test_another_video_of_the_same_name_is_refused(tmp_path):
    raw = RawGeometry(width=4, height=2, rate="30")
    path = tmp_path / "a.yuv"
    path.write_bytes(bytes(range(24)))
    reference, _ = open_reference(str(path), tmp_path, raw=raw)
    write_reference(reference, tmp_path)
    write_reference(reference, tmp_path)
    path.write_bytes(bytes(range(1, 25)))
    with pytest.raises(InputError, match=r"no longer the video that was coded"):
        read_references(tmp_path)["a.yuv"].read(tmp_path)
    changed, _ = open_reference(str(path), tmp_path, raw=raw)
    with pytest.raises(InputError, match=r"points of another video named a\.yuv; choose another folder"):
        write_reference(changed, tmp_path)


def test_a_video_that_is_read_otherwise_is_refused(tmp_path):
    (tmp_path / "a.y4m").write_bytes(b"YUV4MPEG2 W4 H2 F25:1 C420\nFRAME\n" + bytes(range(12)))
    for matrix in (ColourMatrix.BT601, ColourMatrix.BT2020):
        reference, video = open_reference(str(tmp_path / "a.y4m"), tmp_path, raw=RawGeometry(matrix=matrix))
        assert video.format.matrix == matrix
        folder = tmp_path / matrix.name
        write_reference(reference, folder)
        assert read_references(folder) == {"a.y4m": reference}
        assert replace(reference, raw=NO_GEOMETRY).read(tmp_path).format == video.format
    with pytest.raises(InputError, match=r"a\.y4m was read with another rate, matrix or range there"):
        write_reference(reference, tmp_path / "BT601")
