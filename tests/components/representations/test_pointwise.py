"""The pointwise map against the library's linear layer, values and gradients."""

import pytest
import torch
import torch.nn.functional as F

from nvrc_components.representations.pointwise import pointwise


@pytest.mark.parametrize(("c_in", "c_out"), [(3, 16), (16, 3), (5, 5)])
@pytest.mark.parametrize("layout", ["rows", "planes", "strided"])
@pytest.mark.parametrize("size", [(2, 20, 11), (1, 37, 7), (15, 8, 22), (1, 40, 600), (3, 1, 1)])
def test_equals_a_linear_layer_in_any_layout_and_size(c_in, c_out, layout, size):
    torch.manual_seed(0)
    batch, height, width = size
    x = torch.randn(*size, c_in)
    if layout == "planes":
        x = x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    elif layout == "strided":
        x = torch.randn(batch, height + 2, width + 2, c_in)[:, 1:-1, 1:-1]
    weight, bias = torch.randn(c_out, c_in), torch.randn(c_out)
    seed = torch.randn(batch, c_out, height, width).permute(0, 2, 3, 1)
    results = []
    for function in (pointwise, F.linear):
        inputs = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
        out = function(*inputs)
        results.append((out, *torch.autograd.grad(out, inputs, seed)))
    for mine, reference in zip(*results, strict=True):
        torch.testing.assert_close(mine, reference, atol=5e-4, rtol=1e-4)


def test_gradients_are_left_out_where_none_is_asked():
    x, weight = torch.randn(1, 4, 4, 3), torch.randn(5, 3, requires_grad=True)
    pointwise(x, weight).sum().backward()
    torch.testing.assert_close(weight.grad, x.sum((0, 1, 2)).expand(5, 3))


def test_double_precision_takes_the_general_path():
    x, weight = torch.randn(1, 2, 3, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    assert torch.equal(pointwise(x, weight), F.linear(x, weight))
