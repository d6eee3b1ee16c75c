"""Short runs of the program for tests."""

from pathlib import Path

import torch

from nvrc_lightning.cli import main

TINY = ("--config", "nvrc_lite", "--config", str(Path(__file__).with_name("tiny.yaml")))


def fit(folder, *words):
    """Run `nvrc fit` on a few frames, in a folder of its own, and return the run's folder."""
    assert main(["fit", *TINY, f"--trainer.logger.save_dir={folder}", *words]) == 0
    return latest(folder)


def latest(folder):
    return max((Path(folder) / "nvrc_lite").iterdir(), key=lambda run: int(run.name.removeprefix("version_")))


def checkpoint(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def printed(capsys, *words):
    """Return the configuration that these words make."""
    assert main(["fit", *words, "--print_config"]) == 0
    return capsys.readouterr().out


def differences(ours, theirs, path=""):
    """Names of all leaves in which two nested states differ."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), path
        return [name for key in ours for name in differences(ours[key], theirs[key], f"{path}/{key}")]
    if isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), path
        return [n for i, pair in enumerate(zip(ours, theirs, strict=True)) for n in differences(*pair, f"{path}/{i}")]
    equal = torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs
    return [] if equal else [path]


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def leaves(node, path=""):
    """Return all values of a nested configuration by their dotted names."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    nested = [leaf for key, value in items for leaf in leaves(value, f"{path}.{key}").items()]
    return dict(nested) if nested else {path.lstrip("."): node}
