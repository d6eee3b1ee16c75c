from fractions import Fraction

import torch

from nvrc_components.coding import lattice
from nvrc_components.functional.exact import exact_exp2

ALL = torch.arange(-lattice.POWER_REACH, lattice.POWER_REACH + 1) / lattice.SIDE_STEPS


def test_values_are_the_tables_in_both_precisions_and_stop_at_the_ends():
    expected = torch.from_numpy(lattice.powers_of_two())
    assert torch.equal(exact_exp2(ALL), expected)
    assert torch.equal(exact_exp2(ALL.double()), expected.double())
    assert exact_exp2(torch.tensor([-99.0, 99.0])).tolist() == [2.0**-16, 2.0**16]


def test_products_of_two_and_with_lattice_values_are_exact():
    generator = torch.Generator().manual_seed(0)
    first, second = (exact_exp2(ALL[torch.randint(len(ALL), (500,), generator=generator)]) for _ in range(2))
    small = torch.randint(-4095, 4096, (500,), generator=generator) / 64
    for other in (second, small):
        for a, b, product in zip(first.tolist(), other.tolist(), (first * other).tolist(), strict=True):
            assert Fraction(a) * Fraction(b) == Fraction(product)


def test_the_gradient_is_the_exponentials():
    exponent = torch.linspace(-12, 12, 1537, requires_grad=True)
    (gradient,) = torch.autograd.grad(exact_exp2(exponent).sum(), exponent)
    torch.testing.assert_close(gradient, exponent.detach().exp2() * 0.6931472)


def test_not_a_number_stays_one():
    assert exact_exp2(torch.tensor(torch.nan)).isnan()
