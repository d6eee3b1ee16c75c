"""Components of neural video codecs, and the decoder: quantisers, entropy models, any-module compression, `.nvrc`.

Names are imported on first use, so that this package costs nothing to those who want one small part of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nvrc_components.bitstream.video_file import CodedColour, VideoFile, load, save
    from nvrc_components.compressed_module import CompressedModule, Group, Streams
    from nvrc_components.entropy_models import (
        DualAxisGaussian,
        EntropyModel,
        GaussianPrior,
        MaskedConv3dContext,
        OctreeContext,
        ZeroInflatedGaussian,
    )
    from nvrc_components.errors import BitstreamError, InputError, NvrcError
    from nvrc_components.quantizers import (
        AdditiveUniform,
        BlockQuantizer,
        DualAxisQuantizer,
        Quantizer,
        QuantNoise,
        SoftRoundKumaraswamy,
        StraightThrough,
        Surrogate,
        SymmetricQuantizer,
        TensorQuantizer,
    )
    from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

__all__ = [
    "AdditiveUniform",
    "BitstreamError",
    "BlockQuantizer",
    "Chroma",
    "CodedColour",
    "ColourMatrix",
    "ColourRange",
    "CompressedModule",
    "DualAxisGaussian",
    "DualAxisQuantizer",
    "EntropyModel",
    "GaussianPrior",
    "Group",
    "InputError",
    "MaskedConv3dContext",
    "NvrcError",
    "OctreeContext",
    "QuantNoise",
    "Quantizer",
    "SoftRoundKumaraswamy",
    "StraightThrough",
    "Streams",
    "Surrogate",
    "SymmetricQuantizer",
    "TensorQuantizer",
    "VideoFile",
    "VideoFormat",
    "ZeroInflatedGaussian",
    "load",
    "save",
]

_ROOMS = {
    "bitstream.video_file": ("CodedColour", "VideoFile", "load", "save"),
    "compressed_module": ("CompressedModule", "Group", "Streams"),
    "entropy_models": (
        "DualAxisGaussian",
        "EntropyModel",
        "GaussianPrior",
        "MaskedConv3dContext",
        "OctreeContext",
        "ZeroInflatedGaussian",
    ),
    "errors": ("BitstreamError", "InputError", "NvrcError"),
    "quantizers": (
        "AdditiveUniform",
        "BlockQuantizer",
        "DualAxisQuantizer",
        "QuantNoise",
        "Quantizer",
        "SoftRoundKumaraswamy",
        "StraightThrough",
        "Surrogate",
        "SymmetricQuantizer",
        "TensorQuantizer",
    ),
    "video_format": ("Chroma", "ColourMatrix", "ColourRange", "VideoFormat"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
