"""All steps of a quantiser multiplied by one factor."""

import pytest
import torch

from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer

CASES = [
    (TensorQuantizer, (5, 3)),
    (DualAxisQuantizer, (130, 200)),
    (DualAxisQuantizer, (5, 300)),
    (DualAxisQuantizer, (300, 5)),
    (DualAxisQuantizer, (4, 4)),
    (BlockQuantizer, (17, 3, 20, 9)),
]


@pytest.mark.parametrize(("cls", "shape"), CASES)
@pytest.mark.parametrize("octaves", [-1.0, 0.125, 3.0])
def test_multiples_of_the_lattice_are_exact(cls, shape, octaves):
    quantizer = cls(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    before = quantizer.log2_step().detach().clone()
    quantizer.scale_steps(octaves)
    assert torch.equal(quantizer.log2_step(), before + octaves)


def test_a_little_moves_a_part_of_the_steps():
    quantizer = DualAxisQuantizer(torch.randn(400, 200))
    quantizer.steps.rows.value.data += torch.rand(400)
    before = quantizer.log2_step().detach().clone()
    quantizer.scale_steps(0.02)
    assert float((quantizer.log2_step().detach() - before).mean()) == pytest.approx(0.02, abs=0.01)
