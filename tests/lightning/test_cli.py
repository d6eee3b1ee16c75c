"""What the program says when it is asked for help or given something it cannot use."""

import shutil
import subprocess
import sys
import warnings
from importlib.resources import as_file, files

import pytest

from nvrc_components.errors import InputError
from nvrc_lightning.cli import COMMANDS, main
from nvrc_lightning.data.paths import PACKAGED
from nvrc_lightning.option_errors import explain
from tests.lightning.helpers import TINY, files_in


def one_line(capsys, *words):
    """Run the program, which must refuse with one line on stderr and nothing on stdout; return the line."""
    capsys.readouterr()
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nvrc: error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["encode", "no.mp4", "a.nvrc"], "no.mp4: no such file"),
        (["encode", "bunny", "a.mp4"], "a.mp4: what is written is a .nvrc file; name it a.nvrc"),
        (["encode", "bunny", "no/a.nvrc"], "no/a.nvrc: the folder no does not exist; create it first"),
        (
            ["encode", "bunny", "a.nvrc", "--recipe=nvrc_light"],
            "nvrc_light: no such recipe or file; did you mean 'nvrc_lite'?",
        ),
        (["encode", "bunny", "a.nvrc", "--target-size=big"], "size 'big' is not a number of bytes"),
        (["encode", "bunny", "a.nvrc", "--device=tpu"], "device 'tpu' is not auto, cpu, cuda or cuda:N"),
        (["fit"], "fit needs a recipe, such as --config nvrc_lite"),
        (["fit", "--config", "nvrc_light"], "nvrc_light: no such recipe or file; did you mean 'nvrc_lite'?"),
        (["fit", "--config", "ablations/v1"], "ablations/v1.yaml: is an overlay, which needs a recipe before it"),
        (["encode", "bunny", "a.nvrc", "--recipe=ablations/v1"], "v1.yaml: is an overlay, which needs a recipe before"),
        (["test", "--ckpt_path=no.ckpt"], "no.ckpt: no config.yaml beside it; give one with --config"),
    ],
)
def test_mistakes_are_told_without_loading_torch(words, told, tmp_path):
    code = f"import sys; from nvrc_lightning.cli import main; main({words}); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stderr.startswith("nvrc: error: ")
    assert told in run.stderr
    assert "torch" not in run.stdout.split()
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "{sequence}.mkv"])
def test_a_name_that_only_reading_can_judge_is_left_to_it(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with as_file(files("nvrc_lightning") / "assets" / PACKAGED["bunny"]) as clip:
        shutil.copy(clip, "a.mkv")
    words = ["--data.sequence=a", "--data.size=[64,48]", "--frames=0:2", "--epochs=1", "--size=xxs", "--device=cpu"]
    code = main(["encode", name, "a.nvrc", *words])
    assert code == (0 if "{" in name else 2)
    assert code == 0 or "cannot be read (File name too long)" in capsys.readouterr().err


def test_help_lists_every_command_without_loading_torch():
    code = "import sys; from nvrc_lightning.cli import main; main(['--help']); print(sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    *shown, modules = out.splitlines()
    assert not any(f"'{name}'" in modules for name in ("torch", "lightning", "numpy", "jsonargparse"))
    for name, command in COMMANDS.items():
        assert any(line.split()[:1] == [name] and command.summary in line for line in shown)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nvrc 0.")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert "usage: nvrc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["encdoe"], "unknown command 'encdoe'; did you mean 'encode'?"),
        (["fit", "--config"], "--config needs a recipe after it"),
        (
            ["fit", "--config", "nvrc_lit"],
            "nvrc_lit: no such recipe or file; did you mean 'nvrc_lite' or 'nvrc'? "
            "(recipes that ship: hinerv, nvrc, nvrc_lite)",
        ),
        (["decode", "a.nvrc"], "the following arguments are required: OUT"),
        (["decode", "a.nvrc", "b", "--forse"], "unrecognized arguments: --forse; did you mean '--force'"),
        (["decode", "a.nvrc", "b", "--frames", "x"], "frames 'x' is not start:stop"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--device", "tpu"], "device 'tpu' is not auto, cpu, cuda"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["encode", "bunny", "{tmp}/none/a.nvrc"], "does not exist; create it first"),
        (["encode", "{tmp}/none.mp4", "{tmp}/a.nvrc"], "none.mp4: no such file"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--data.sise=3"], "no option 'sise'; did you mean 'size'"),
        (
            ["encode", "bunny", "{tmp}/a.nvrc", "--data.raw.width", "192"],
            "--data.raw.width: options of 'nvrc fit' take their value after '=', as in --data.raw.width=VALUE",
        ),
        (
            ["encode", "bunny", "{tmp}/a.nvrc", "--epoch", "3", "--frame=:"],
            "--epoch 3 --frame=:; did you mean '--epochs'?; did you mean '--frames' or",
        ),
        (["encode", "bunny", "{tmp}/a.mp4"], "a.mp4: what is written is a .nvrc file; name it a.nvrc"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--epochs", "0"], "the number of epochs is 0; it must be 1 or more"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--lambda", "0"], "lambda is 0; it must be above 0"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--lambda=nan"], "lambda is nan; it must be above 0"),
        (["encode", "bunny", "{tmp}/a.nvrc", "--device", "cuda:77"], "device 'cuda:77' is not available here; use cpu"),
        (
            ["encode", "bunny", "{tmp}/a.nvrc", "--recipe", "nvrc+budget/shrt"],
            "budget/shrt: no such recipe or file; did you mean 'budget/short'?",
        ),
        (["info", "none.nvrc"], "none.nvrc: cannot be read (No such file or directory)"),
    ],
)
def test_mistakes_in_commands(words, expected, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert expected in one_line(capsys, *(word.format(tmp=tmp_path) for word in words))
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--model.lmda=3", "--model.lmda: VideoCodec has no option 'lmda'; did you mean 'lmbda'?"),
        ("--model.lmbda=x", "--model.lmbda: expects float, not 'x'"),
        ("--model.lmbda=-1", "error: lmbda is -1; --model.lmbda must be above 0"),
        ("--model.start_lmbda=-1", "start_lmbda is -1; --model.start_lmbda must be"),
        ("--trainer.max_epochs=0", "nothing would be trained, give 1 or more"),
        ("--model.network.sise=s", "NvrcLiteNetwork has no option 'sise'; did you mean 'size'?"),
        ("--model.network.size=xxl", "'xxl' is not one of auto"),
        ("--model.network=NvrcLit", "unknown class 'NvrcLit'; did you mean 'NvrcLiteNetwork'?"),
        ("--model.rates.gridd=1", "no option 'rates.gridd'; did you mean 'rates.grids'"),
        ("--data.pth=x", "VideoDataModule has no option 'pth'; did you mean 'path' or 'patch'?"),
        ("--data.path=nothing.mp4", "nothing.mp4: no such file"),
        ("--data.frames=abc", "frames 'abc' is not start:stop"),
        ("--data.raw.widht=3", "no option 'raw.widht'; did you mean 'raw.width'"),
        ("--data.patch=[900,900]", "patch 900x900 does not fit the frame of 48x64"),
        ("--data.size=[64]", "--data.size: Expected a tuple with 2 elements. Got value: [64]"),
        ("--trainer.max_epocs=1", "unknown option 'trainer.max_epocs'; did you mean 'trainer.max_epochs'"),
        ("--trainer.max_epochs=a", "--trainer.max_epochs: expects int, not 'a'"),
        ("--trainer.callbacks+=RateStep", "--trainer.callbacks: unknown class 'RateStep'; did you mean 'RateSteps'?"),
        ("--trainer.logger=CSVLoger", "--trainer.logger: unknown class 'CSVLoger'; did you mean 'CSVLogger'"),
        ("--trainer.accelerator=tpu", "torch_xla"),
        ("--trainer.gradient_clip_val=0.5", "has no effect here; give --model.gradient_clip"),
        ("--trainer.precision=bf16-true", "give bf16-mixed instead"),
        ("--trainer.max_epochs=-1", "must end; give --trainer.max_epochs"),
        ("--model.distortion=YuvDistortion", "set --model.colour=YUV444 with it"),
        ("--foo=1", "unknown option 'foo'"),
    ],
)
def test_mistakes_in_options(option, expected, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert expected in one_line(capsys, "fit", *TINY, option)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: {class_path: VideoCodec, init_args: {lmda: 3}}", "did you mean 'lmbda'?"),
        ("trainer: {max_epoch: 3}", "unknown option 'trainer.max_epoch'; did you mean 'trainer.max_epochs'"),
        ("trainer: {callbacks: [{class_path: RateSteps, init_args: {evry: 8}}]}", "did you mean 'every'?"),
        ("trainer: {callbacks: [{class_path: RateSteps, init_args: {every: -1}}]}", "every is -1"),
        ("model: {init_args: {groups: [{nam: all}]}}", "Group has no option 'nam'; did you mean 'name'?"),
        (
            'model: {init_args: {groups: [{name: a, pattern: "*", quantizer: Tensor, entropy_model: GaussianPrior}]}}',
            "--model.groups.quantizer: unknown class 'Tensor'",
        ),
        (
            "trainer: {callbacks: [{class_path: Stages, init_args: {stages: [{name: a, share: 1, clip: 0,"
            " start: QuantNoise, end: QuantNoise}]}}]}",
            "clip is 0",
        ),
        ("trainer:\n  max_epochs: [", "mine.yaml, line 2: expected the node content, but found '<stream end>'"),
        ("just text", "mine.yaml: is no recipe, which has options such as 'model:'"),
        ("a\0b", "mine.yaml: is not text, but a recipe is YAML"),
    ],
)
def test_mistakes_in_recipes(text, expected, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(text)
    assert expected in one_line(capsys, "fit", *TINY, f"--config={tmp_path / 'mine.yaml'}")


@pytest.mark.parametrize(
    ("overlay", "missing"), [("no_alternation", "stages"), ("no_rate_in_stage_1", "name, share, start, end")]
)
def test_lists_of_an_overlay_for_another_recipe(overlay, missing, capsys):
    told = one_line(capsys, "fit", f"--config=nvrc_lite+ablations/{overlay}")
    assert f"needs a value for {missing}; where an overlay leaves it to the recipe, both lists must have the" in told


def test_defects_keep_their_traceback(monkeypatch):
    def broken(path):
        raise ZeroDivisionError

    monkeypatch.setattr("nvrc_lightning.info.describe", broken)
    with pytest.raises(ZeroDivisionError):
        main(["info", "x.nvrc"])


def test_ctrl_c_outside_training(monkeypatch, capsys):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("nvrc_lightning.info.describe", interrupted)
    assert main(["info", "x.nvrc"]) == 130
    assert capsys.readouterr().err == "nvrc: interrupted; nothing was written\n"


def test_warnings_are_one_line_without_a_place_in_the_code(monkeypatch, capsys):
    def doubtful(path):
        warnings.warn("the file\nmay be cut short", stacklevel=1)
        raise InputError("none.nvrc: cannot be read")

    monkeypatch.setattr("nvrc_lightning.info.describe", doubtful)
    assert main(["info", "x.nvrc"]) == 2
    expected = "nvrc: warning: the file may be cut short\nnvrc: error: none.nvrc: cannot be read\n"
    assert capsys.readouterr().err == expected


def test_both_names_are_the_same_program():
    from importlib.metadata import entry_points

    scripts = {entry.name: entry.value for entry in entry_points(group="console_scripts")}
    assert scripts["nvrc"] == scripts["LightningCLI"] == "nvrc_lightning.cli:main"


def test_explain_leaves_plain_messages_alone():
    assert (
        explain("every is 0; a rate step comes after one or more") == "every is 0; a rate step comes after one or more"
    )
