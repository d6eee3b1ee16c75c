import io
import json
import math
from dataclasses import replace
from importlib import metadata

import pytest
from rich.console import Console

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.metrics import Scores
from nvrc_lightning.evaluation.provenance import Machine, git_commit, library_versions, peak_memory_mib
from nvrc_lightning.evaluation.result import Cost, Rate, Result, Run
from nvrc_lightning.evaluation.table import duration, print_table

SCORES = Scores(
    frames=2,
    psnr_rgb=65.125,
    psnr_yuv611=37.5,
    psnr_y=36.0,
    psnr_u=41.0,
    psnr_v=43.0,
    ms_ssim_rgb=math.nan,
    psnr_rgb_per_frame=(30.25, math.inf),
    undefined={"ms_ssim_rgb": "frame too small for five scales"},
)


def _result(**changes) -> Result:
    result = Result(
        video="bunny_192x128_32f.mkv",
        codec="nvrc-lite, lambda 4",
        rate=Rate(12345, 192 * 128 * 2, 12300.0, {"header": 41, "weights": 9000, "grids": 3304}),
        scores=SCORES,
        cost=Cost({"fit": 3723.4, "write": 0.41}, 1.25, 1.6, peak_memory_mib(), 123456, 14300.0),
        run=Run(Machine.describe(), seed=0),
        largest_difference=1,
    )
    return replace(result, **changes)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def _table(result: Result, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(result, console)
    return console.file.getvalue()


def test_json_round_trip(tmp_path):
    result = _result()
    result.write_json(tmp_path / "result.json")
    assert Result.from_json(tmp_path / "result.json") == result


def test_json_holds_no_word_that_json_does_not_know(tmp_path):
    _result().write_json(tmp_path / "result.json")
    data = json.loads((tmp_path / "result.json").read_text(), parse_constant=_no_constant)
    assert data["scores"]["ms_ssim_rgb"] is None
    assert data["scores"]["undefined"]["ms_ssim_rgb"] == "frame too small for five scales"
    assert data["scores"]["psnr_rgb_per_frame"] == [30.25, None]
    assert "identical" in data["scores"]["undefined"]["psnr_rgb_per_frame"]
    assert data["rate"]["bpp"] == pytest.approx(8 * 12345 / (192 * 128 * 2))
    assert data["rate"]["estimate_error_bytes"] == 45
    assert data["rate"]["estimate_error_percent"] == pytest.approx(100 * 45 / 12300)


def test_files_of_before_a_score_was_known_are_read(tmp_path):
    data = _result().to_dict()
    del data["scores"]["ms_ssim_y"], data["scores"]["vmaf"]
    (tmp_path / "old.json").write_text(json.dumps(data))
    assert Result.from_json(tmp_path / "old.json") == _result()


def test_a_result_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "result.json"
    _result().write_json(path)
    with pytest.raises(InputError, match="already exists"):
        _result().write_json(path)
    _result(video="other.mkv").write_json(path, force=True)
    assert Result.from_json(path).video == "other.mkv"


@pytest.mark.parametrize("text", ["", "[]", '{"video": "a"}', "\0", '{"video": "a", "rate": 3}'])
def test_other_files_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a result file"):
        Result.from_json(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        Result.from_json(tmp_path / "none.json")


def test_the_table_fits_eighty_columns_and_says_what_is_undefined():
    text = _table(_result())
    assert max(len(line) for line in text.splitlines()) == 80
    for part in ("12,345 B", "+45 B (+0.37 %)", "65.12 dB", "worst 30.25 dB", "14.30 kMAC/pixel", "1 h 02 min"):
        assert part in text
    assert "undefined" in text
    assert "(frame too small for five scales)" in text
    assert "\x1b" not in text


def test_the_table_has_a_files_sections_under_the_file():
    names = [line.split()[1] for line in _table(_result()).splitlines()[2:7]]
    assert names == ["File", "weights", "grids", "header", "Estimate"]


def test_the_table_survives_long_names_and_missing_figures():
    rate = Rate(5, 100, None, {f"section {i} of a long kind": i for i in range(20)})
    bare = _result(
        video="a" * 200 + "[bold].mkv",
        rate=rate,
        cost=Cost({}, 1.0, 2.0),
        scores=replace(SCORES, psnr_yuv611=math.nan, undefined={"psnr_yuv611": "source is RGB"}, ms_ssim_rgb=0.9),
    )
    text = _table(bare)
    assert max(len(line) for line in text.splitlines()) == 80
    assert "14 more" in text
    assert "(source is RGB)" in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4211, "0.421 s"), (59.9, "59.9 s"), (59.96, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text


def test_provenance_names_what_ran():
    versions = library_versions()
    assert versions["av"] == metadata.version("av")
    assert {"python", "torch", "numpy", "lightning"} <= set(versions)
    machine = Machine.describe()
    assert machine.device == "cpu"
    assert machine.cores >= 1
    assert peak_memory_mib() > 50
    commit = git_commit()
    assert commit is None or len(commit.removesuffix("-dirty")) == 40
