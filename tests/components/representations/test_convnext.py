"""ConvNeXt blocks as they start."""

import pytest
import torch

from nvrc_components.representations.convnext import ConvNeXtBlock


def test_a_shortcut_starts_without_stretching_what_comes_in():
    torch.manual_seed(0)
    weight = ConvNeXtBlock(12, 6, 4, shortcut=True).shortcut.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(6))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_blocks_start_in_any_precision(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        block = ConvNeXtBlock(12, 6, 4, shortcut=True)
    finally:
        torch.set_default_dtype(before)
    assert {parameter.dtype for parameter in block.parameters()} == {dtype}
