"""Latents that look like a codec's, and what their likelihoods say they cost."""

import torch

from nvrc_components.side import sides_of


def normal(shape, seed=0, spread=3.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * spread


def log_uniform(shape, low, high, seed=0):
    uniform = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return low * (high / low) ** uniform


def randomised(model, seed=0):
    for number, side in enumerate(sides_of([model])):
        side.value.data.add_(normal(side.value.shape, seed + number, 0.3))
    return model


def bits_of(likelihoods):
    return float(-likelihoods.detach().double().log2().sum())
