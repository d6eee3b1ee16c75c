"""Which patches a video is trained on, and in which order."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from nvrc_components.errors import InputError
from nvrc_components.video_format import VideoFormat


class PatchIndices(Dataset[Tensor]):
    """Indices of the patches that tile every frame of a video, frame after frame, row after row.

    Where the patch does not divide the frame, the last row or column is shifted inwards and overlaps.

    Shape:
        Each item is (3,), int64: frame, top, left.

    Raises:
        InputError: the patch is larger than the frame.
    """

    def __init__(self, fmt: VideoFormat, patch: tuple[int, int]) -> None:
        height, width = patch[0] or fmt.height, patch[1] or fmt.width
        if not (0 < height <= fmt.height and 0 < width <= fmt.width):
            raise InputError(f"patch {height}x{width} does not fit the frame of {fmt.height}x{fmt.width}")
        frames = torch.arange(fmt.frames)
        self.table = torch.cartesian_prod(frames, _offsets(fmt.height, height), _offsets(fmt.width, width))

    def __len__(self) -> int:
        return self.table.shape[0]

    def __getitem__(self, index: int) -> Tensor:
        return self.table[index]


def _offsets(side: int, patch: int) -> Tensor:
    """Where patches begin along a side."""
    return torch.arange(-(-side // patch)).mul(patch).clamp(max=side - patch)


class PatchSampler(DistributedSampler[int]):
    """Order of the patches in an epoch: a permutation that depends on the seed and the epoch alone.

    The permutation is wrapped around to a whole number of global batches, so every step averages over
    equally many patches. Of this list p, rank r of n takes p[r::n]; step i is then the patches p[i*B : (i+1)*B] for any
    number of ranks. It is a `DistributedSampler` even on one device, which keeps Lightning from replacing it.

    Args:
        dataset: the patches.
        batch_size: patches of a global batch B.
        replicas: number of ranks, a divisor of `batch_size`.
        rank: which of them this is.
        seed: seed of the order.

    Raises:
        InputError: the batch cannot be shared out evenly.
    """

    def __init__(self, dataset: PatchIndices, batch_size: int, replicas: int, rank: int, seed: int) -> None:
        if batch_size < 1 or batch_size % replicas:
            raise InputError(
                f"batch_size {batch_size} cannot be divided over {replicas} devices; "
                f"make it a positive multiple of {replicas}"
            )
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=True, seed=seed)
        self.batch_size = batch_size
        self.steps = -(-len(dataset) // batch_size)
        self.num_samples = self.steps * batch_size // replicas
        self.total_size = self.steps * batch_size
        self._patches = len(dataset)
        self._taken = 0
        self._resume = {"epoch": -1, "step": 0}

    def order(self) -> Tensor:
        """The whole epoch's list of patch numbers over all ranks.

        Shape:
            Returns (steps * batch_size,), int64.
        """
        # a hash of both numbers: seed + epoch would make epoch 1 of seed 0 equal epoch 0 of seed 1
        state = int(np.random.SeedSequence((self.seed, self.epoch)).generate_state(1, np.uint64)[0]) >> 1
        generator = torch.Generator().manual_seed(state)
        permutation = torch.randperm(self._patches, generator=generator)
        return permutation.repeat(-(-self.total_size // self._patches))[: self.total_size]

    def __iter__(self) -> Iterator[int]:
        resumed = self._resume["epoch"] == self.epoch
        self._taken = self._resume["step"] * self.batch_size // self.num_replicas if resumed else 0
        self._resume = {"epoch": -1, "step": 0}
        for index in self.order()[self.rank :: self.num_replicas][self._taken :].tolist():
            self._taken += 1
            yield index

    def state_dict(self) -> dict[str, int]:
        """The epoch and how many of its steps were handed out; the same on every rank."""
        step = self._taken * self.num_replicas // self.batch_size % self.steps
        return {"epoch": self.epoch, "step": step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the saved step, on any number of ranks, if the next epoch is still the saved one."""
        self._resume = dict(state)


class FrameSampler(DistributedSampler[int]):
    """Every frame once, in order; of n ranks, rank r takes frames r, r + n, ...

    All ranks take equally many, because they wait for each other at every one: the first frames come once more.
    """

    def __init__(self, dataset: PatchIndices, replicas: int, rank: int) -> None:
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=False)
        self.total_size = len(dataset)
        self.num_samples = -(-len(dataset) // replicas)

    def __iter__(self) -> Iterator[int]:
        numbers = range(self.rank, self.num_samples * self.num_replicas, self.num_replicas)
        return (number % self.total_size for number in numbers)


class PatchLoader(DataLoader[Tensor]):
    """A loader that Lightning can save and resume in the middle of an epoch."""

    def state_dict(self) -> dict[str, Any]:
        """How far the epoch has come."""
        return self.sampler.state_dict() if isinstance(self.sampler, PatchSampler) else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from there."""
        if isinstance(self.sampler, PatchSampler):
            self.sampler.load_state_dict(state)
