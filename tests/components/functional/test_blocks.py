import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.functional import block_counts, merge_blocks, split_blocks

SIDE = st.integers(1, 9)
SHAPES = st.tuples(SIDE, st.integers(1, 3), SIDE, SIDE)
BLOCKS = st.tuples(SIDE, SIDE, SIDE)


@given(SHAPES, BLOCKS)
def test_merging_inverts_splitting_and_padding_is_zero(shape, block):
    x = torch.arange(1, 1 + math.prod(shape)).reshape(shape)
    blocks = split_blocks(x, block)
    assert blocks.shape == (math.prod(block_counts(shape, block)), shape[1], *block)
    assert torch.equal(merge_blocks(blocks, shape, block), x)
    assert blocks.sum() == x.sum()
    assert int((blocks != 0).sum()) == x.numel()


def test_blocks_go_by_t_then_h_then_w():
    x = torch.zeros(4, 1, 4, 6)
    order = [(t, h, w) for t in (0, 2) for h in (0, 2) for w in (0, 3)]
    for number, (t, h, w) in enumerate(order):
        x[t : t + 2, :, h : h + 2, w : w + 3] = number
    blocks = split_blocks(x, (2, 2, 3))
    assert [block.unique().tolist() for block in blocks] == [[float(n)] for n in range(8)]


def test_gradients_go_through():
    x = torch.randn(3, 2, 5, 4, requires_grad=True)
    merge_blocks(split_blocks(x, (2, 2, 3)), (3, 2, 5, 4), (2, 2, 3)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match=r"\(T, C, H, W\)"):
        block_counts((3, 4, 5), (1, 1, 1))
    with pytest.raises(ValueError, match="positive"):
        split_blocks(torch.zeros(1, 1, 1, 1), (1, 0, 1))
    with pytest.raises(ValueError, match="do not make"):
        merge_blocks(torch.zeros(3, 1, 2, 2, 2), (2, 1, 2, 2), (2, 2, 2))
