"""Pictures inside the page: lossless WebP for frames, palette PNG for maps, both as data URIs."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Picture", "data_uri", "heat_map", "to_rgb8", "webp_uri"]

Picture = NDArray[np.uint8]
"""(H, W, 3), RGB code values of 8 bits."""

# A perceptually even ramp, from little to much, in a few colours between which it is linear (viridis, CC0).
_RAMP = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")
_LEVELS = 256


def to_rgb8(rgb: Tensor, bit_depth: int) -> Picture:
    """One frame at 8 bits; deeper ones lose their lowest bits.

    Shape:
        rgb: (3, H, W), integer code values.
    """
    values: Picture = (rgb.int() >> (bit_depth - 8)).permute(1, 2, 0).numpy().astype(np.uint8)
    return values


def data_uri(kind: str, content: bytes) -> str:
    """The content as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def webp_uri(picture: Picture) -> str:
    """The picture as WebP, without loss."""
    # Imported where it is used: it comes with Matplotlib, which only reports need.
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", lossless=True, quality=60, method=4)
    return data_uri("webp", buffer.getvalue())


def heat_map(values: NDArray[np.float32], top: float) -> str:
    """A map as PNG: 0 is dark violet, `top` and all above it yellow.

    Shape:
        values: (H, W), at least 0.
    """
    from PIL import Image

    scaled = np.clip(values / top, 0, 1) * (_LEVELS - 1)
    image = Image.fromarray(scaled.round().astype(np.uint8), mode="L")
    image.putpalette(_palette())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return data_uri("png", buffer.getvalue())


def _palette() -> list[int]:
    """The ramp, as red, green and blue of every level."""
    knots = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in _RAMP], float)
    places = np.linspace(0, len(_RAMP) - 1, _LEVELS)
    channels = [np.interp(places, np.arange(len(_RAMP)), knots[:, channel]) for channel in range(3)]
    return [int(value) for value in np.stack(channels, 1).round().flatten()]
