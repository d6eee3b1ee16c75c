"""Distortions that training minimises: small modules that a recipe names by class.

Every distortion takes ``forward(prediction, target)`` with both of shape (B, 3, h, w) in [0, 1] and returns a
scalar that is 0 for a perfect prediction. The target is a constant: no gradient flows into it. All of them
compute in float32, whatever precision autocast gave the prediction.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nvrc_lightning.modules.ms_ssim import ms_ssim

__all__ = ["MseDistortion", "RgbDistortion", "YuvDistortion"]

# Added to each plane's MSE before the geometric mean: the square of a hundredth of an 8-bit step, about. It
# bounds the gradient of MSE^(1/8), which is infinite at 0, and is far below any error a codec leaves.
_MSE_FLOOR = 1e-8


def _check_pair(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures in float32, refused unless they are (B, 3, h, w) of equal size.

    Raises:
        ValueError: the shapes differ, or are not (B, 3, h, w); broadcasting would hide a caller's mistake.
    """
    if prediction.shape != target.shape or prediction.dim() != 4 or prediction.shape[1] != 3:
        shapes = f"{tuple(prediction.shape)} and {tuple(target.shape)}"
        raise ValueError(f"prediction and target must both be (B, 3, h, w), not {shapes}")
    return prediction.float(), target.detach().float()


class RgbDistortion(nn.Module):
    """Absolute error and structural dissimilarity of RGB pictures: ``l1 * L1 + ms_ssim * (1 - MS-SSIM)``.

    Args:
        l1: weight of the mean absolute error.
        ms_ssim: weight of 1 - MS-SSIM; 0 leaves it out, and its time with it.
        window: side of the Gaussian window in pixels; a small one suits patches.

    Shape:
        prediction, target: (B, 3, h, w) in [0, 1]; both sides at least ``window`` where ``ms_ssim`` > 0.
        Output: scalar.

    Source: NVRC (arXiv 2409.07414), equation 10.
    """

    def __init__(self, l1: float = 0.7, ms_ssim: float = 0.3, window: int = 5) -> None:
        super().__init__()
        self.l1 = l1
        self.ms_ssim = ms_ssim
        self.window = window

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The weighted sum of both terms, a scalar."""
        prediction, target = _check_pair(prediction, target)
        distortion = self.l1 * F.l1_loss(prediction, target)
        if self.ms_ssim:
            distortion = distortion + self.ms_ssim * (1 - ms_ssim(prediction, target, self.window))
        return distortion


class YuvDistortion(nn.Module):
    """Weighted geometric mean of the planes' MSE, and structural dissimilarity of luma.

    ``0.99 * MSE_Y^(6/8) * MSE_U^(1/8) * MSE_V^(1/8) + 0.01 * (1 - MS-SSIM_Y)``, formed for each picture and
    averaged over the batch. Pictures come as YUV 4:4:4; chroma is averaged over 2x2 pixels before its MSE,
    for that is what a 4:2:0 source keeps.

    Args:
        mse: weight of the geometric mean.
        ms_ssim: weight of 1 - MS-SSIM of luma; 0 leaves it out, and its time with it.
        window: side of the Gaussian window in pixels.

    Shape:
        prediction, target: (B, 3, h, w), planes Y, U, V, in [0, 1]; both sides at least ``window``.
        Output: scalar.

    Source: NVRC (arXiv 2409.07414), equation 11.
    """

    def __init__(self, mse: float = 0.99, ms_ssim: float = 0.01, window: int = 5) -> None:
        super().__init__()
        self.mse = mse
        self.ms_ssim = ms_ssim
        self.window = window

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The weighted sum of both terms, a scalar."""
        prediction, target = _check_pair(prediction, target)
        distortion = self.mse * _geometric_mse(prediction - target).mean()
        if self.ms_ssim:
            luma = ms_ssim(prediction[:, :1], target[:, :1], self.window)
            distortion = distortion + self.ms_ssim * (1 - luma)
        return distortion


class MseDistortion(nn.Module):
    """Mean squared error times ``scale``, for whoever wants nothing but PSNR.

    Args:
        scale: factor on the error. Pictures are in [0, 1], where an MSE is some hundred times smaller than
            ``RgbDistortion`` of the same pictures; a scale near 100 keeps a recipe's lambda meaningful.

    Shape:
        prediction, target: (B, 3, h, w) in [0, 1]. Output: scalar.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The scaled error, a scalar."""
        prediction, target = _check_pair(prediction, target)
        return self.scale * F.mse_loss(prediction, target)


def _geometric_mse(error: Tensor) -> Tensor:
    """``MSE_Y^(6/8) * MSE_U^(1/8) * MSE_V^(1/8)`` of each picture, its gradient bounded at zero error.

    Shape:
        error: (B, 3, h, w). Output: (B,).
    """
    luma = error[:, :1].square().mean(dim=(1, 2, 3)).unsqueeze(1)
    chroma = F.avg_pool2d(error[:, 1:], 2, ceil_mode=True).square().mean(dim=(2, 3))
    logarithms = (torch.cat([luma, chroma], dim=1) + _MSE_FLOOR).log()
    return (logarithms * logarithms.new_tensor([6 / 8, 1 / 8, 1 / 8])).sum(dim=1).exp()
