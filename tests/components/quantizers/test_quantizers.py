"""Which step every element has: expansion, windows, files, gradients. Start values are not looked at."""

import pytest
import torch

from nvrc_components.entropy_models import DualAxisGaussian
from nvrc_components.functional.exact import exact_exp2
from nvrc_components.quantizers import (
    QUANTIZERS,
    BlockQuantizer,
    DualAxisQuantizer,
    SymmetricQuantizer,
    TensorQuantizer,
)
from nvrc_components.quantizers.base import initial_log2_step
from nvrc_components.side import sides_of


def randomised(quantizer, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for side in sides_of([quantizer]):
        side.value.data.copy_(torch.randn(side.value.shape, generator=generator) * 2 - 3)
    return quantizer


def grid(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


BOTH = {"rows", "columns"}
CASES = [
    (TensorQuantizer, (5, 3, 7, 9)),
    (TensorQuantizer, ()),
    (DualAxisQuantizer, (130, 200)),
    (DualAxisQuantizer, (5, 300)),
    (DualAxisQuantizer, (300, 5)),
    (DualAxisQuantizer, (300,)),
    (DualAxisQuantizer, (16, 16, 3, 3)),
    (DualAxisQuantizer, (4, 4)),
    (DualAxisQuantizer, ()),
    (DualAxisQuantizer, (1, 1)),
    (DualAxisQuantizer, (0, 5)),
    (BlockQuantizer, (37, 3, 20, 9)),
    (BlockQuantizer, (1, 1, 1, 1)),
]


@pytest.mark.parametrize(("cls", "shape"), CASES)
def test_steps_are_powers_of_two_of_the_log2_steps_and_fit_the_tensor(cls, shape):
    tensor = grid(*shape)
    quantizer = randomised(cls(tensor))
    step, log2_step = quantizer.step(), quantizer.log2_step()
    assert torch.broadcast_shapes(step.shape, shape) == torch.broadcast_shapes(log2_step.shape, shape) == shape
    assert torch.equal(log2_step * 64, (log2_step * 64).round())
    torch.testing.assert_close(step, log2_step.exp2(), rtol=2.0**-10, atol=0)


@pytest.mark.parametrize(("cls", "shape"), [case for case in CASES if case[1] and case[1][0] > 1])
def test_steps_of_a_window_are_the_window_of_the_steps(cls, shape):
    tensor = grid(*shape)
    quantizer = randomised(cls(tensor))
    step = quantizer.step().expand(shape)
    log2_step = quantizer.log2_step().expand(shape)
    count, windows = shape[0], []
    for start, stop in ((0, count), (0, 1), (count - 1, count), (count // 3, count - 1), (count // 2, count // 2 + 1)):
        windows.append(slice(start, stop))
    windows.append(torch.tensor(sorted({0, count // 2, count - 1})))
    for window in windows:
        assert torch.equal(quantizer.step(window).expand(tensor[window].shape), step[window])
        assert torch.equal(quantizer.log2_step(window).expand(tensor[window].shape), log2_step[window])


@pytest.mark.parametrize(("cls", "shape"), CASES)
def test_gradients_reach_every_parameter_that_is_trained(cls, shape):
    quantizer = randomised(cls(grid(*shape)))
    weights = grid(*shape)
    (quantizer.step() * weights).sum().backward()
    for side in sides_of([quantizer]):
        assert side.value.grad.isfinite().all()
        assert shape == (0, 5) or (side.value.grad != 0).all()


@pytest.mark.parametrize(("cls", "shape"), CASES)
def test_the_configuration_rebuilds_the_quantizer(cls, shape):
    quantizer = randomised(cls(grid(*shape)))
    rebuilt = QUANTIZERS[cls.kind].from_configuration(torch.zeros(shape), quantizer.configuration())
    rebuilt.load_state_dict(quantizer.state_dict())
    assert type(rebuilt) is cls
    assert torch.equal(rebuilt.step(), quantizer.step())


@pytest.mark.parametrize("cls", [TensorQuantizer, DualAxisQuantizer, BlockQuantizer])
def test_a_configuration_that_is_none_is_refused(cls):
    for configuration in ((7,), (0, 8, 8), (16, 8, 1 << 17)):
        with pytest.raises(ValueError, match=cls.__name__):
            cls.from_configuration(grid(4, 2, 4, 4), configuration)


def test_a_block_quantizer_has_a_step_per_block_and_channel():
    quantizer = randomised(BlockQuantizer(grid(37, 3, 20, 9), (16, 8, 4)))
    steps = exact_exp2(quantizer.shared())
    assert steps.shape == (3, 3, 3, 3)
    whole = quantizer.step()
    for t, c, h, w in ((0, 0, 0, 0), (15, 1, 7, 3), (16, 2, 8, 4), (36, 0, 19, 8)):
        assert whole[t, c, h, w] == steps[t // 16, c, h // 8, w // 4]


def test_blocks_are_only_for_grids():
    with pytest.raises(ValueError, match=r"\(T, C, H, W\)"):
        BlockQuantizer(grid(10, 10))
    with pytest.raises(ValueError, match="not a block"):
        BlockQuantizer.from_configuration(grid(10, 10), (4, 4, 4))


def test_a_dual_axis_step_is_a_row_step_times_a_column_step():
    quantizer = randomised(DualAxisQuantizer(grid(130, 4, 40)))
    rows, columns = exact_exp2(quantizer.steps.rows()), exact_exp2(quantizer.steps.columns())
    step = quantizer.step()
    assert step.shape == (130, 4, 40)
    assert step[7, 3, 11] == rows[7] * columns[3 * 40 + 11]
    torch.testing.assert_close(step.double().flatten(1), rows.double()[:, None] * columns.double(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((128, 128), BOTH),
        ((127, 128), {"rows"}),
        ((128, 127), {"columns"}),
        ((127, 127), {"whole"}),
        ((2, 2, 8, 8), {"rows"}),
        ((1,), {"whole"}),
        ((128,), {"columns"}),
    ],
)
def test_a_line_of_fewer_than_128_elements_has_no_parameter_of_its_own(shape, names):
    quantizer = DualAxisQuantizer(grid(*shape))
    assert {name for name, _ in quantizer.steps.named_children()} == names


@pytest.mark.parametrize(
    ("shape", "names"), [((32, 31), {"columns"}), ((31, 32), {"rows"}), ((31, 31), {"whole"}), ((32, 2, 16), BOTH)]
)
def test_shorter_lines_may_have_one_too_and_a_file_says_so(shape, names):
    quantizer = randomised(DualAxisQuantizer(grid(*shape), shortest=32))
    assert {name for name, _ in quantizer.steps.named_children()} == names
    assert (DualAxisQuantizer(grid(*shape)).configuration(), quantizer.configuration()) == ((), (32,))
    rebuilt = DualAxisQuantizer.from_configuration(torch.zeros(shape), (32,))
    rebuilt.load_state_dict(quantizer.state_dict())
    assert torch.equal(rebuilt.step(), quantizer.step())


@pytest.mark.parametrize("shortest", [0, 7, -1, (1 << 16) + 1])
def test_a_shortest_line_out_of_range_is_refused(shortest):
    with pytest.raises(ValueError, match=f"shortest is {shortest}, not from 8 to 65536"):
        DualAxisQuantizer(grid(40, 40), shortest=shortest)
    for cls in (DualAxisQuantizer, DualAxisGaussian):
        with pytest.raises(ValueError, match=f"{cls.__name__}: .{shortest},. is not how short a line may be"):
            cls.from_configuration(grid(40, 40), (shortest,))


@pytest.mark.parametrize("shape", [(8, 8), (8, 64), (64, 8), (8, 7)])
def test_no_file_has_more_side_information_than_parameters(shape):
    tensor = grid(*shape)
    modules = [cls.from_configuration(tensor, (8,)) for cls in (DualAxisQuantizer, DualAxisGaussian)]
    assert sum(side.value.numel() for side in sides_of(modules)) <= tensor.numel()
    assert DualAxisQuantizer.from_configuration(tensor, (1 << 16,)).configuration() == (1 << 16,)
    assert DualAxisQuantizer.from_configuration(tensor, (128,)).configuration() == ()


@pytest.mark.parametrize("bits", [6, 7, 8])
@pytest.mark.parametrize(
    ("shape", "dim"), [((40, 200), 1), ((200, 40), 0), ((130, 200), 1), ((12, 9), None), ((300,), None)]
)
def test_symmetric_steps_spread_their_bits_over_the_range_of_every_line(shape, dim, bits):
    tensor = grid(*shape)
    tensor *= (torch.arange(shape[0]) + 1.0).reshape(-1, *[1] * (len(shape) - 1))
    quantizer = SymmetricQuantizer(tensor, bits)
    symbols = (tensor / quantizer.step()).abs()
    peaks = symbols.amax() if dim is None else symbols.amax(dim)
    assert (peaks.log2() - torch.tensor((2**bits - 1) / 2).log2()).abs().max() <= 1 / 16 + 1e-3
    assert not any(parameter.requires_grad for parameter in quantizer.parameters())


@pytest.mark.parametrize("shape", [(0, 5), (), (3, 4), (200, 130)])
def test_symmetric_steps_exist_for_tensors_of_nothing_but_zeros(shape):
    assert (SymmetricQuantizer(torch.zeros(shape)).step() > 0).all()


def test_in_a_file_symmetric_steps_are_dual_axis_steps():
    quantizer = SymmetricQuantizer(grid(130, 200))
    plain = QUANTIZERS[quantizer.kind].from_configuration(torch.zeros(130, 200), quantizer.configuration())
    plain.load_state_dict(quantizer.state_dict())
    assert type(plain) is DualAxisQuantizer
    assert torch.equal(plain.step(), quantizer.step())
    with pytest.raises(ValueError, match="bits must be above 1"):
        SymmetricQuantizer(grid(3, 3), 1)


def test_the_start_follows_the_tensors_spread_and_exists_for_any_tensor():
    assert initial_log2_step(torch.full((9,), 8.0), 5.0) == -2
    assert initial_log2_step(torch.zeros(9), 5.0) == initial_log2_step(torch.zeros(0), 5.0) == -9  # counts as 1/16


def test_a_block_far_larger_than_the_grid_costs_no_memory():
    grid = torch.zeros(2, 1, 3, 4)
    quantizer = BlockQuantizer.from_configuration(grid, (1 << 16, 1 << 16, 1 << 16))
    assert quantizer.step().shape == grid.shape
    assert quantizer.step(torch.tensor([1])).shape == (1, 1, 3, 4)
