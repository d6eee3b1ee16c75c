"""Side information: the lattice, its coding, its bits, and all of it quantised at once."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.coding.varint import ByteReader, ByteWriter
from nvrc_components.errors import BitstreamError, InputError
from nvrc_components.side import SideTensor, quantized_together, sides_of

FINITE = st.floats(-100, 100, width=32)


def written(side):
    psi, encoder = ByteWriter(), SymbolEncoder()
    side.encode(psi, encoder)
    return psi.to_bytes(), encoder.to_bytes()


def read_into(side, psi, stream):
    reader, decoder = ByteReader(psi, "psi"), SymbolDecoder(stream)
    side.decode(reader, decoder)
    reader.finish()
    decoder.finish()
    return side


def several(seed=0):
    generator = torch.Generator().manual_seed(seed)
    sides = [SideTensor(torch.randn(n, generator=generator) * 3) for n in (1, 2, 7, 300, 1)]
    sides.append(SideTensor(torch.randn(40, generator=generator) * 9, limit=4.0))
    sides.append(SideTensor(torch.randn(3, 5, generator=generator), common=True))
    sides[-1].common.data.fill_(0.3)
    for number, side in enumerate(sides):
        side.log2_step.data.add_(number / 2 if side.value.numel() > 1 else 0)
    sides.append(SideTensor(torch.randn(50, generator=generator) * 2, limit=1.0, pace=1 / 16))
    return sides


@given(st.lists(FINITE, min_size=1, max_size=12), st.floats(-9, 3, width=32), st.sampled_from([1.0, 4.0, 16.0]))
def test_values_lie_on_the_lattice_near_the_parameter_and_round_trip(values, log2_step, limit):
    side = SideTensor(torch.tensor(values), limit=limit)
    if len(values) > 1:
        side.log2_step.data.fill_(log2_step)
    quantised = side().detach()
    assert torch.equal(quantised * 64, (quantised * 64).round())
    clipped = side.value.detach().clamp(-limit, limit)
    step = min(max(2.0**log2_step, 1 / 64), 1.0) * 1.1 if len(values) > 1 else 0.125
    assert (quantised - clipped).abs().max() <= step / 2 + 1e-6
    other = read_into(SideTensor(torch.zeros(len(values)), limit=limit), *written(side))
    assert torch.equal(other(), quantised)
    assert written(other) == written(side)


def test_gradients_reach_values_and_step():
    side = SideTensor(torch.tensor([0.3, -1.7, 2.2]))
    (side() * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert side.value.grad.tolist() == pytest.approx([1, 2, 3])
    assert side.log2_step.grad.abs() > 0


@pytest.mark.parametrize("pace", [1 / 16, 0.5, 4.0])
def test_an_optimisers_step_moves_values_at_their_pace_and_files_do_not_know(pace):
    initial = torch.tensor([0.5, -1.25, 3.0])
    side, plain = SideTensor(initial, pace=pace), SideTensor(initial)
    assert torch.equal(side(), plain())
    assert written(side) == written(plain)
    (side() * torch.tensor([1.0, -2.0, 3.0])).sum().backward()
    torch.optim.Adam([side.value], lr=0.5).step()
    torch.testing.assert_close(side.value * pace, initial - 0.5 * pace * torch.tensor([1.0, -1.0, 1.0]))
    other = read_into(SideTensor(torch.zeros(3), pace=2 * pace), *written(side))
    assert torch.equal(other(), side())


def test_a_state_outlives_a_change_of_pace():
    side = SideTensor(torch.tensor([0.5, -1.25, 3.0]), pace=1 / 16)
    state = side.state_dict()
    assert state["value"].tolist() == [0.5, -1.25, 3.0]
    for pace in (1 / 16, 1.0, 4.0):
        other = SideTensor(torch.zeros(3), pace=pace)
        other.load_state_dict(state)
        assert torch.equal(other(), side())
    assert state["value"].tolist() == [0.5, -1.25, 3.0]


def test_a_plain_tensor_stays_so_when_it_takes_another_state():
    side, other = SideTensor(torch.tensor([0.53, -1.21])), SideTensor(torch.tensor([1.53, -2.21]))
    side.make_plain()
    side.load_state_dict(other.state_dict())
    assert side().tolist() == [1.53125, -2.203125]


def test_one_number_is_a_plain_integer_with_a_fixed_step():
    side = SideTensor(torch.tensor(-1.0))
    assert written(side) == (b"\x0f", b"\0")
    assert not side.log2_step.requires_grad


def test_together_gives_the_same_values_and_the_bits_of_the_file():
    sides = several()
    alone = [side().detach() for side in sides]
    with quantized_together(sides) as side_bits:
        assert all(torch.equal(side(), value) for side, value in zip(sides, alone, strict=True))
        bits = side_bits()
        bits.backward()
    assert all(torch.equal(side(), value) for side, value in zip(sides, alone, strict=True))
    psi, encoder = ByteWriter(), SymbolEncoder()
    for side in sides:
        side.encode(psi, encoder)
    real = 8 * (len(psi.to_bytes()) + len(encoder.to_bytes()))
    assert abs(real - float(bits.detach())) <= 0.005 * real + 64
    assert all(side.value.grad.isfinite().all() for side in sides)
    assert sides[3].value.grad.abs().sum() > 0
    assert sides[3].log2_step.grad.abs() > 0


def test_together_ends_even_after_an_error_and_takes_none_at_all():
    sides = several()
    with pytest.raises(KeyError), quantized_together(sides):
        raise KeyError
    sides[0].value.data.fill_(2.0)
    assert float(sides[0]().detach()) == 2.0
    with quantized_together([]) as bits:
        assert float(bits()) == 0


def test_the_lattice_survives_casts_of_the_module():
    module = nn.ModuleList(several())
    values = [side().detach() for side in sides_of([module])]
    for cast in (module.bfloat16, module.half, module.double, module.float):
        cast()
        assert all(torch.equal(side(), value) for side, value in zip(sides_of([module]), values, strict=True))


def test_copies_and_states_give_the_same_values():
    side = several()[3]
    clone = copy.deepcopy(side)
    fresh = SideTensor(torch.zeros(300))
    fresh.load_state_dict(side.state_dict())
    assert torch.equal(clone(), side())
    assert torch.equal(fresh(), side())


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused_in_one_line(value):
    with pytest.raises(InputError, match="training has diverged"):
        written(SideTensor(torch.tensor([0.0, value])))


@given(st.binary(max_size=12), st.binary(max_size=40), st.sampled_from([1, 2, 30]))
def test_arbitrary_bytes_read_as_finite_values_or_raise_a_bitstream_error(psi, stream, count):
    side = SideTensor(torch.zeros(count))
    try:
        side.decode(ByteReader(psi, "psi"), SymbolDecoder(stream))
    except BitstreamError:
        return
    assert np.isfinite(side().detach().numpy()).all()
    assert side().abs().max() <= 16.5


def test_what_is_common_moves_all_values_and_is_in_the_file_with_them():
    initial = torch.tensor([0.5, -1.25, 3.0])
    side, plain = SideTensor(initial, pace=1 / 16, common=True), SideTensor(initial)
    assert written(side) == written(plain)
    (side() * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    torch.optim.Adam(side.parameters(), lr=0.5).step()
    moved = side().detach()
    torch.testing.assert_close(moved, initial - 0.5 - 0.5 / 16, atol=1 / 64, rtol=0)
    assert torch.equal(read_into(SideTensor(torch.zeros(3), common=True), *written(side))(), moved)
    side.common.data.fill_(torch.nan)
    with pytest.raises(InputError, match="not finite"):
        written(side)


def test_a_value_may_leave_equal_ones_for_what_it_gains():
    """Bits that a value gains per unit, which a Gaussian fitted to equal values would outweigh a hundred times."""
    side, wanted = SideTensor(torch.zeros(96)), torch.zeros(96)
    wanted[0] = 0.5
    optimizer = torch.optim.Adam(side.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        with quantized_together([side]) as bits:
            (bits() + 40 * (side() - wanted).abs().sum()).backward()
        optimizer.step()
    assert side()[0] > 0.2
    assert side()[1:].abs().max() < 0.1


def test_nothing_is_common_where_it_was_not_wanted_or_one_value_is_alone():
    for side in (SideTensor(torch.zeros(3)), SideTensor(torch.zeros(()), common=True)):
        assert not side.common.requires_grad
