"""Side information of entropy models, stored no finer than pays."""

import pytest
import torch

from nvrc_components.coarsening import coarsen
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, MaskedConv3dContext, OctreeContext
from nvrc_components.fitting import Coded
from nvrc_components.side import sides_of
from tests.components.helpers import Picture, size, wrapped

ZERO = torch.zeros(())


def bits(item):
    sides = sum(float(side.bits().detach()) for side in sides_of([item.model]))
    return float(item.model.bits(item.symbols, item.log2_step).detach()) + sides


def jittered(model, spread, seed=0):
    """Move all side values apart, each by itself."""
    generator = torch.Generator().manual_seed(seed)
    for side in sides_of([model]):
        side.assign(side.unrounded().detach() + spread * torch.randn(side.value.shape, generator=generator))
    return model


def rows_of(octaves, columns=256, seed=0):
    """Symbols whose rows have these log2-scales."""
    normal = torch.randn(len(octaves), columns, generator=torch.Generator().manual_seed(seed))
    return (normal * 2.0 ** torch.tensor(octaves)[:, None]).round()


@pytest.mark.parametrize(
    ("cls", "shape"),
    [
        (GaussianPrior, (30, 40)),
        (DualAxisGaussian, (140, 200)),
        (DualAxisGaussian, (20, 200)),
        (OctreeContext, (9, 2, 12, 12)),
        (MaskedConv3dContext, (9, 2, 12, 12)),
    ],
)
@pytest.mark.parametrize("spread", [0.01, 0.1, 1.0])
def test_bits_are_never_added_and_side_information_becomes_cheaper(cls, shape, spread):
    symbols = torch.randn(shape, generator=torch.Generator().manual_seed(1)).mul(3).round()
    item = Coded(jittered(cls(symbols), spread), symbols, ZERO)
    before, sides = bits(item), sum(float(side.bits().detach()) for side in sides_of([item.model]))
    coarsen([item])
    assert bits(item) <= before
    after = sum(float(side.bits().detach()) for side in sides_of([item.model]))
    assert after <= sides if cls is GaussianPrior else after < 0.7 * sides
    again = bits(item)
    coarsen([item])
    assert bits(item) <= again


def test_rows_that_are_alike_take_one_value():
    symbols = rows_of([2.4] * 100)  # far from all that a step coarse enough for one value would give
    model = jittered(DualAxisGaussian(symbols), 0.2)
    model.log2_scale.rows.add(2.4 - float(model.log2_scale.rows().detach().mean()))
    coarsen([Coded(model, symbols, ZERO)])
    assert len(model.log2_scale.rows().unique()) == len(model.mean.rows().unique()) == 1
    assert float(model.log2_scale.rows()[0].detach()) == pytest.approx(2.4, abs=0.1)


def test_rows_that_differ_stay_apart():
    octaves = [row % 4 + 0.3 for row in range(100)]
    symbols = rows_of(octaves)
    model = DualAxisGaussian(symbols)
    model.log2_scale.rows.assign(torch.tensor(octaves))
    jittered(model, 0.05)
    before = float(model.log2_scale.rows.bits().detach())
    coarsen([Coded(model, symbols, ZERO)])
    values = model.log2_scale.rows().detach()
    assert (values - torch.tensor(octaves)).abs().max() <= 0.6
    assert float(values.std()) > 1
    assert float(model.log2_scale.rows.log2_step.detach()) >= -3
    assert float(model.log2_scale.rows.bits().detach()) < 0.7 * before


@pytest.mark.parametrize("log2_step", [-1.5, -0.5])
def test_context_networks_code_at_the_limits_of_their_weights(log2_step):
    symbols = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).mul(40).round()
    model = MaskedConv3dContext(symbols, width=8)
    for number, side in enumerate(sides_of([model])):
        if side is not model.network.bias:
            side.assign(torch.where(torch.arange(side.value.numel()) % (number + 2) == 0, -1.0, 1.0) * side.limit)
            side.log2_step.data.fill_(log2_step)
    encoder = SymbolEncoder()
    model.encode(symbols, ZERO, encoder)
    assert torch.equal(model.decode(symbols.shape, ZERO, SymbolDecoder(encoder.to_bytes())), symbols)


def test_plain_side_information_stays_as_fine_as_it_is():
    model = jittered(DualAxisGaussian(rows_of([2.0] * 50)), 0.1)
    for side in sides_of([model]):
        side.make_plain()
    before = [side().detach().clone() for side in sides_of([model])]
    coarsen([Coded(model, rows_of([2.0] * 50), ZERO)])
    assert all(torch.equal(side(), value) for side, value in zip(sides_of([model]), before, strict=True))


def test_a_module_decodes_to_the_same_parameters():
    compressed = wrapped(lambda: Picture((20, 4, 24, 24))).eval()
    for codec in compressed.tensor_codecs():
        jittered(codec.entropy_model, 0.05)
    values, before = compressed.quantized(), size(compressed.compress())
    coarsen(compressed.coded())
    streams = compressed.compress()
    assert size(streams) < before
    other = wrapped(lambda: Picture((20, 4, 24, 24))).eval()
    other.decompress(streams)
    assert all(torch.equal(value, other.quantized()[name]) for name, value in values.items())
