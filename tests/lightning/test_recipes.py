"""Every recipe that ships runs, and overlays change what they say."""

from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from nvrc_components.bitstream.video_file import CodedColour, load
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, MaskedConv3dContext, OctreeContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer
from nvrc_components.representations.hinerv_presets import PRESETS
from nvrc_components.video_format import ColourMatrix
from nvrc_lightning.cli import main
from nvrc_lightning.data.datamodule import VideoDataModule
from nvrc_lightning.data.options import RawGeometry
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.evaluation.result import Result
from tests.lightning.helpers import files_in, latest, leaves, printed

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
SHORT = ("--data.frames=0:2", "--data.size=[64,48]", "--trainer.max_epochs=1", "--model.network.size=xxs")
HERE = Path(__file__).parent
FEW_STEPS = (f"--config={HERE / 'few_steps.yaml'}", f"--config={HERE / 'few_iterations.yaml'}")
STEPS = {"hinerv": FEW_STEPS[:1], "nvrc": FEW_STEPS, "nvrc_lite": SHORT}  # makes each a matter of seconds
OVERLAYS = {  # over NVRC, each with what it is to make of the base grids and of the other tensors
    "ablations/v1": (BlockQuantizer, MaskedConv3dContext, TensorQuantizer, GaussianPrior),
    "ablations/v2": (BlockQuantizer, GaussianPrior, DualAxisQuantizer, DualAxisGaussian),
    "ablations/v3": (BlockQuantizer, GaussianPrior, TensorQuantizer, GaussianPrior),
    "ablations/v5": (TensorQuantizer, MaskedConv3dContext, TensorQuantizer, DualAxisGaussian),
    "ablations/octree": (BlockQuantizer, OctreeContext, DualAxisQuantizer, DualAxisGaussian),
}


def run_of(folder, *words):
    """Train, and return the run's folder."""
    assert main(["fit", *words, f"--trainer.logger.save_dir={folder}"]) == 0
    return next(Path(folder).iterdir()) / "version_0"


def overlays(*names):
    return [f"--config={name}" for name in names]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_runs(recipe, tmp_path):
    run = run_of(tmp_path, f"--config={recipe}", *STEPS[recipe.stem])
    assert run.parent.name == recipe.stem
    assert {"config.yaml", "video.nvrc", "result.json", "preview.png", "checkpoints"} <= set(files_in(run))


@pytest.mark.parametrize(("overlay", "expected"), OVERLAYS.items(), ids=OVERLAYS)
def test_ablations_change_how_parameters_are_coded(overlay, expected, tmp_path):
    run = run_of(tmp_path, *overlays("nvrc", "budget/short", overlay), *STEPS["nvrc"])
    compressed = load(run / "video.nvrc").compressed
    codecs = dict(zip(compressed.names, compressed.tensor_codecs(), strict=True))
    grid, weight = codecs["stem.levels.0.features.grid"], codecs["stages.0.blocks.0.expand.weight"]
    assert expected == tuple(type(x) for c in (grid, weight) for x in (c.quantizer, c.entropy_model))


def test_fixed_steps_stay(tmp_path):
    run = run_of(tmp_path, *overlays("nvrc", "budget/short", "ablations/v5"), *STEPS["nvrc"])
    codecs = load(run / "video.nvrc").compressed.tensor_codecs()
    assert {float(codec.quantizer.log2_step().detach()) for codec in codecs} == {-5.75}


def test_a_video_of_a_set_coded_as_yuv_at_a_published_point(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip = read_video(files("nvrc_lightning") / "assets" / "bunny_192x128_32f.mkv")
    frames = [plane[i].numpy().tobytes() for i in range(2) for plane in clip.planes]
    Path("UVG").mkdir()
    Path("UVG/Jockey_1920x1080_120fps_420_8bit_YUV.yuv").write_bytes(b"".join(frames))
    words = overlays("nvrc", "sets/nvrc/uvg", "points/yuv420/s2_32", "colours/yuv420", "budget/short")
    raw = ("--data.sequence=Jockey", "--data.raw.width=192", "--data.raw.height=128")
    run = run_of("runs", *words, *raw, *STEPS["nvrc"])
    file, result = load(run / "video.nvrc"), Result.from_json(run / "result.json")
    assert file.header.coded_colour == CodedColour.YUV444
    assert result.codec == "HiNerv lambda 32"
    assert result.video.startswith("Jockey")
    assert result.scores.psnr_yuv611 > 5


@pytest.mark.parametrize(
    "overlay", sorted((FOLDER / "sets").rglob("*.yaml")), ids=lambda path: "-".join(path.parts[-2:])
)
def test_videos_of_sets_are_found_where_they_lie(overlay, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = yaml.safe_load(overlay.read_text())["data"]["init_args"]
    place = Path(options["path"].format(sequence=options["sequence"]))
    place.parent.mkdir()
    place.write_bytes(bytes(3 * 192 * 128))  # two frames of 4:2:0
    raw = {**options["raw"], "width": 192, "height": 128, "matrix": ColourMatrix[options["raw"]["matrix"]]}
    module = VideoDataModule(options["path"], sequence=options["sequence"], raw=RawGeometry(**raw))
    module.setup()
    assert module.video.format.frames == 2
    assert module.video.format.rate == Fraction(options["raw"]["rate"])
    assert module.video.format.matrix == ColourMatrix.BT601


def test_plain_side_information_costs_ten_bits_a_value(tmp_path):
    sizes = {}
    for folder, names in (("coded", ()), ("plain", ("ablations/v4",))):
        run = run_of(tmp_path / folder, *overlays("nvrc", "budget/short", *names), *STEPS["nvrc"])
        sizes[folder] = Result.from_json(run / "result.json").rate.sections["side"]
    sides = load(run / "video.nvrc").compressed.side_tensors()
    values = sum(side.value.numel() for side in sides if side.value.numel() > 1)
    assert 9.3 < (sizes["plain"] - 4 * len(sides)) * 8 / values + 8 * 4 * len(sides) / values < 13
    assert sizes["plain"] > 2 * sizes["coded"]


def test_what_is_our_own_choice_can_be_taken_back(capsys):
    ours, theirs = (
        leaves(yaml.safe_load(printed(capsys, *overlays("nvrc", *n)))) for n in ((), ("ablations/as_published",))
    )
    changed = {name.split("init_args.", 1)[-1]: theirs.get(name) for name in ours if theirs.get(name) != ours[name]}
    taken_back = {name: value for name, value in changed.items() if "after" not in name}
    assert taken_back == {
        "groups.0.quantizer.init_args.log2_start": -8.66,
        "groups.0.entropy_model.init_args.width": 8,
        "groups.2.quantizer.init_args.shortest": 128,
        "groups.2.entropy_model.init_args.shortest": 128,
        "start_lmbda": 0.0,
    }
    assert len(changed) - len(taken_back) == 4  # the four times at which steps were balanced


CHANGES = {  # what an overlay changes in the printed configuration, and nothing else
    "ablations/no_rate_in_stage_1": {"trainer.callbacks.0.init_args.stages.0.rate_weight": 0.0},
    "ablations/no_alternation": {"trainer.callbacks.5.init_args.every": 0},
    "points/rgb/s2_2": {"model.init_args.network.init_args.size": "s2", "model.init_args.lmbda": 2.0},
    "sizes/s4": {"model.init_args.network.init_args.size": "s4"},
    "ablations/v4": {"model.init_args.plain_side": True},
    "colours/rgb": {},
    "sets/nvrc/mcl_jcv": {
        "model.init_args.network.init_args.grid_slices": 50,
        "data.init_args.path": "MCL-JCV/{sequence}.yuv",
        "data.init_args.sequence": "videoSRC01_1920x1080_30",
        "data.init_args.raw.width": 1920,
        "data.init_args.raw.height": 1080,
        "data.init_args.raw.rate": "30",
        "data.init_args.raw.matrix": "BT601",
        "trainer.max_epochs": 780,
        "trainer.callbacks.0.init_args.stages.0.warmup": 0.041667,
        "trainer.callbacks.0.init_args.stages.1.warmup": 0.083333,
    },
}


@pytest.fixture(scope="module")
def nvrc():
    """All values of the recipe nvrc, printed."""
    return {}


@pytest.mark.parametrize(("overlay", "expected"), CHANGES.items(), ids=CHANGES)
def test_overlays_change_nothing_else(overlay, expected, nvrc, capsys):
    if not nvrc:
        nvrc |= leaves(yaml.safe_load(printed(capsys, "--config=nvrc")))
    laid = leaves(yaml.safe_load(printed(capsys, *overlays("nvrc", overlay))))
    assert laid.keys() == nvrc.keys()
    assert {name: value for name, value in laid.items() if value != nvrc[name]} == expected


def test_quantisation_steps_may_be_left_to_learning_alone(capsys):
    plain, without = (
        yaml.safe_load(printed(capsys, *overlays("nvrc", *names)))["trainer"]["callbacks"]
        for names in ((), ("ablations/no_balance",))
    )
    assert plain[:6] == without[:6]
    assert plain[6]["init_args"]["after"] == [64, 128, 256, 384]
    assert without[6]["init_args"] == plain[6]["init_args"] | {"after": []}


CHAINS = (
    *((path.stem,) for path in RECIPES),
    ("nvrc_lite", "sets/nvrc_lite/uvg", "sizes/s", "colours/yuv420"),
    ("nvrc_lite", "sets/nvrc_lite/jvet_b", "budget/short"),
    ("hinerv", "sets/hinerv/uvg", "sizes/xxl", "bits/8"),
    ("hinerv", "sets/hinerv/mcl_jcv", "sizes/mcl-xs", "budget/short"),
    ("nvrc", "sets/nvrc/uvg", "points/rgb/s3_8", "ablations/v3", "ablations/no_rate_in_stage_1"),
    ("nvrc", "sets/nvrc/jvet_b", "points/yuv420/s4_1024", "colours/yuv420", "ablations/v5", "ablations/no_alternation"),
    ("nvrc", "sets/nvrc/mcl_jcv", "points/rgb/s1_0.25", "budget/short", "ablations/v1"),
    ("nvrc", "budget/short", "ablations/v2"),
)


@pytest.mark.parametrize("chain", CHAINS, ids="+".join)
def test_printed_configuration_is_the_same_again(chain, tmp_path, capsys):
    first = printed(capsys, *overlays(*chain))
    (tmp_path / "printed.yaml").write_text(first)
    assert printed(capsys, f"--config={tmp_path / 'printed.yaml'}") == first


def test_rate_points_are_table_8():
    ladder = {"s1": (0.25, 0.5), "s2": (1, 2), "s3": (4, 8), "s4": (16, 32)}
    for colour, factor in (("rgb", 1), ("yuv420", 32)):
        points = {
            path.stem: yaml.safe_load(path.read_text())["model"]["init_args"]
            for path in (FOLDER / "points" / colour).glob("*.yaml")
        }
        for size, lambdas in ladder.items():
            for lmbda in lambdas:
                expected = {"network": {"init_args": {"size": size}}, "lmbda": factor * lmbda}
                assert points.pop(f"{size}_{factor * lmbda:g}") == expected
        assert not points


def test_sizes_are_named_as_they_are():
    for path in (FOLDER / "sizes").glob("*.yaml"):
        size = yaml.safe_load(path.read_text())["model"]["init_args"]["network"]["init_args"]["size"]
        assert size == path.stem
        assert size in {*PRESETS[1], *PRESETS[2], "xxs", "xs", "s", "m", "l"}


def test_a_fit_with_the_printed_configuration_saves_the_same(tmp_path, capsys):
    words = ["--config=nvrc_lite", *SHORT, f"--trainer.logger.save_dir={tmp_path / 'runs'}"]
    assert main(["fit", *words, "--print_config"]) == 0
    (tmp_path / "printed.yaml").write_text(capsys.readouterr().out)
    assert main(["fit", *words]) == 0
    first = latest(tmp_path / "runs")
    assert main(["fit", f"--config={tmp_path / 'printed.yaml'}"]) == 0
    second = latest(tmp_path / "runs")
    ours, theirs = (yaml.safe_load((run / "config.yaml").read_text()) for run in (first, second))
    assert ours == theirs
    assert (first / "video.nvrc").read_bytes() == (second / "video.nvrc").read_bytes()
