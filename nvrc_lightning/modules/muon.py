"""Adam, with orthogonal updates for matrices (Muon; K. Jordan et al. 2024, kellerjordan.github.io/posts/muon)."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

__all__ = ["MuonAdam", "is_matrix"]

_MOMENTUM: Final = 0.95
_ITERATIONS: Final = 5
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)  # the source's: five turns bring singular values near 1
_SPREAD: Final = 0.2  # root mean square of Adam's updates in units of the learning rate, which then suits both
_SMALLEST: Final = 8


class MuonAdam(Optimizer):
    """Adam, but for the groups with `muon` set: there the momentum's singular values are all brought near 1.

    Directions of a layer that the loss rarely asks for then move as fast as the common ones. A step has the size that
    Adam's has at the same learning rate; weight decay shrinks the weights apart from the gradient.

    Args:
        groups: parameter groups.
        options: those of Adam.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], **options: Any) -> None:
        self._adam = Adam(groups, **options)
        super().__init__(self._adam.param_groups, self._adam.defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("muon"):
                self._orthogonal_step(group)
        # Loading a state replaces both.
        self._adam.state = self.state
        self._adam.param_groups = [group for group in self.param_groups if not group.get("muon")]
        self._adam.step()
        return loss

    def _orthogonal_step(self, group: dict[str, Any]) -> None:
        alike = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                alike[parameter.flatten(1).shape].append(parameter)
        for (rows, columns), parameters in alike.items():
            updates = orthogonalized(torch.stack([self._momentum(p).flatten(1) for p in parameters]))
            pace = _SPREAD * max(rows, columns) ** 0.5
            for parameter, update in zip(parameters, updates, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update.view_as(parameter), alpha=-group["lr"] * pace)

    def _momentum(self, parameter: nn.Parameter) -> Tensor:
        """Return the mean gradient, one step ahead (Nesterov)."""
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum: Tensor = state["momentum"].mul_(_MOMENTUM).add_(gradient)
        return gradient.add(momentum, alpha=_MOMENTUM)


def is_matrix(parameter: Tensor) -> bool:
    """Return whether a parameter mixes channels, so that singular values say something."""
    mixes = parameter.dim() > 1 and parameter.shape[1] > 1
    return mixes and min(parameter.flatten(1).shape) >= _SMALLEST


def orthogonalized(matrices: Tensor) -> Tensor:
    """Return matrices with the same singular vectors, and singular values between about 0.7 and 1.2.

    Shape: (N, rows, columns) -> the same.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x: Tensor = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
