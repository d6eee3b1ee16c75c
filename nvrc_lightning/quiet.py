"""Silences what Lightning says to everybody and what no user of this program can act on."""

import logging
import os
import warnings

__all__ = ["silence"]

_NOISE = (
    # Batches are indices into a video that is already in memory: workers would only add a copy.
    r".*does not have many workers.*",
    # A short clip has few steps in an epoch; the last values of an epoch are logged all the same.
    r"The number of training batches .* is smaller than the logging interval.*",
    # Lightning's use of a torch interface that was renamed.
    r".*treespec, LeafSpec.*",
    # A run goes on in the folder that its checkpoint lies in only if it is told to.
    r"Checkpoint directory .* exists and is not empty.*",
    # A resumed run gets a folder of its own, and its checkpoints with it.
    r"The dirpath has changed from .*",
    # A device that is there but not used was not asked for.
    r"GPU available but not used.*",
    # Our sampler is a DistributedSampler of our own on purpose, and frames are few enough to be scored unevenly.
    r"Using `DistributedSampler` with the dataloaders.*",
    # Distortion steps leave the entropy models out, and only now and then a step has nothing to leave out.
    r"find_unused_parameters=True was specified in DDP constructor.*",
)


def silence() -> None:
    """Keep tips, device lists and warnings that say nothing about the user's run from the terminal."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        # Device tables, tips for other products, and "stopped: max_epochs reached" are all on level INFO.
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)
    # Lightning calls interfaces of its parser that have newer names; read by processes it starts, too.
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
