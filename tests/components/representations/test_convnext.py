"""ConvNeXt blocks as they start."""

import torch

from nvrc_components.representations.convnext import ConvNeXtBlock


def test_a_shortcut_starts_without_stretching_what_comes_in():
    torch.manual_seed(0)
    weight = ConvNeXtBlock(12, 6, 4, shortcut=True).shortcut.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(6))
