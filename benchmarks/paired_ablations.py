"""Ablations from one state: a training's last part again, under each overlay.

python benchmarks/paired_ablations.py --run runs/nvrc/version_0 --checkpoint step=1152.ckpt
  --overlays ablations/v1 ablations/v2 ablations/v4 --out forks.csv

Two short trainings that differ in anything part ways, by more than most of a codec's parts are worth. Here all have the
parameters and the optimiser's state of the checkpoint. Quantisers and entropy models that an overlay replaces start
from it too: steps within an eighth of an octave of the mean of those replaced, entropy models as if newly set from the
parameters and fitted to them. The parameters were trained with the run's own, which favours it: what other quantisers
cost is an upper bound. The first line is of the run's own file, as a resumed run would write it again. An overlay that
only sets another data.seed tells what is chance.

Checkpoints of a run are kept with these options of nvrc fit:

--trainer.callbacks+=ModelCheckpoint --trainer.callbacks.filename='{step}' --trainer.callbacks.save_top_k=-1
  --trainer.callbacks.every_n_epochs=12 --trainer.callbacks.save_on_train_epoch_end=true

Overlays of callbacks cannot be laid over such a run, whose list of them is longer than theirs.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from rate_distortion import distortion_of, row, write_table
from torch import nn

from nvrc_components import InputError
from nvrc_components.compressed_module import CompressedModule
from nvrc_components.fitting import Coded, fit
from nvrc_lightning.callbacks.export import BitstreamExport
from nvrc_lightning.callbacks.lookup import callbacks_of
from nvrc_lightning.evaluation.result import Result
from nvrc_lightning.host_memory import keep_freed_memory
from nvrc_lightning.modules.optimizer import same_shapes
from nvrc_lightning.modules.video_codec import VideoCodec
from nvrc_lightning.training import NvrcCLI, train

ITERATIONS = 200
"""Steps of an entropy model that replaces another, on the parameters as they are."""


def started(words: Sequence[str]) -> NvrcCLI:
    """Return a training after its first step, of which nothing is kept."""
    return train([*words, "--trainer.fast_dev_run=1"])


def names_by_index(cli: NvrcCLI) -> list[str]:
    """Return the parameters' names in the order in which the optimiser's state counts them."""
    names = {parameter: name for name, parameter in cli.model.named_parameters()}
    return [names[parameter] for group in cli.trainer.optimizers[0].param_groups for parameter in group["params"]]


def takes_over(ours: nn.Module, theirs: nn.Module) -> bool:
    """Load the other's state if it is of the same kind, and return whether it is."""
    state = theirs.state_dict()
    alike = type(ours) is type(theirs) and same_shapes(ours.state_dict(), state)
    if alike:
        ours.load_state_dict(state)
    return alike


@torch.no_grad()
def adopt(ours: CompressedModule, theirs: CompressedModule) -> None:
    """Take over parameters, quantisers and entropy models, as far as they are of the same kind.

    Raises:
        InputError: a quantiser that replaces another has steps that do not learn.
    """
    ours.module.load_state_dict(theirs.module.state_dict())
    ours.step.copy_(theirs.step)
    ours.calibrate()
    replaced = []
    parameters = dict(ours.module.named_parameters())
    for name, codec, other in zip(ours.names, ours.tensor_codecs(), theirs.tensor_codecs(), strict=True):
        if not takes_over(codec.quantizer, other.quantizer):
            if not any(parameter.requires_grad for parameter in codec.quantizer.parameters()):
                raise InputError(f"{name}: the steps of {type(codec.quantizer).__name__} cannot start from others")
            steps = other.quantizer.log2_step().expand_as(parameters[name])
            codec.quantizer.scale_steps(float(steps.mean() - codec.quantizer.log2_step().mean()))
        if not takes_over(codec.entropy_model, other.entropy_model):
            symbols = codec.rounded(name, parameters[name])
            replaced.append(Coded(codec.entropy_model, symbols, codec.quantizer.log2_step()))
    if replaced:
        fit(replaced, ITERATIONS)


def forked(checkpoint: dict[str, Any], base: NvrcCLI, ablation: NvrcCLI) -> dict[str, Any]:
    """Return a checkpoint of the base's run as one of the ablation's."""
    assert isinstance(base.model, VideoCodec)
    assert isinstance(ablation.model, VideoCodec)
    base.model.load_state_dict(checkpoint["state_dict"])
    adopt(ablation.model.compressed, base.model.compressed)
    (optimizer,) = checkpoint["optimizer_states"]
    known = {name: optimizer["state"].get(index) for index, name in enumerate(names_by_index(base))}
    shapes = {name: value.shape for name, value in base.model.named_parameters()}
    state = {
        index: known[name]
        for index, name in enumerate(names_by_index(ablation))
        if known.get(name) and shapes[name] == ablation.model.get_parameter(name).shape
    }
    groups = ablation.trainer.optimizers[0].state_dict()["param_groups"]
    fresh = {"state": state, "param_groups": groups}
    return checkpoint | {"state_dict": ablation.model.state_dict(), "optimizer_states": [fresh]}


def finished(words: Sequence[str], checkpoint: dict[str, Any], folder: Path) -> tuple[Result, Path]:
    """Train from a checkpoint to the end; return the result and the file."""
    path = folder / "forked.ckpt"
    torch.save(checkpoint, path)
    logger = ["--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={folder}"]
    (export,) = callbacks_of(train([*words, *logger, f"--ckpt_path={path}"]).trainer, BitstreamExport)
    assert export.result is not None
    return export.result, export.file


def lines(run: Path, checkpoint: Path, overlays: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the table's lines: of the run's file, then of each overlay's."""
    words = ["fit", f"--config={run / 'config.yaml'}"]
    epochs = yaml.safe_load((run / "config.yaml").read_text())["trainer"]["max_epochs"]
    base, state = started(words), torch.load(checkpoint, weights_only=True)
    from_step = {"from_step": state["global_step"]}

    def line(recipe: str, result: Result, file: Path) -> dict[str, Any]:
        distortion = distortion_of(file, base.datamodule.video)
        return row(result, recipe, base.model.lmbda, epochs, distortion) | from_step

    yield line("own", Result.from_json(run / "result.json"), run / "video.nvrc")
    for overlay in overlays:
        more = [*words, f"--config={overlay}"]
        with tempfile.TemporaryDirectory() as folder:
            yield line(overlay, *finished(more, forked(state, base, started(more)), Path(folder)))


def main() -> None:
    """Go on under every overlay, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished run of nvrc fit")
    parser.add_argument("--checkpoint", required=True, help="name of one of its checkpoints")
    parser.add_argument("--overlays", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    keep_freed_memory()
    checkpoint = options.run / "checkpoints" / options.checkpoint
    write_table(options.out, lines(options.run, checkpoint, options.overlays))


if __name__ == "__main__":
    main()
