"""How large a module's file is, and would be by the estimate of its entropy models."""

from collections.abc import Sequence

import torch

from nvrc_components.bitstream.container import Section, SectionKind, pack
from nvrc_components.bitstream.video_file import CodedColour, sections_of
from nvrc_components.compressed_module import CompressedModule
from nvrc_components.video_format import VideoFormat

__all__ = ["estimated_bytes", "file_bytes", "fixed_bytes"]


def file_bytes(compressed: CompressedModule, fmt: VideoFormat, colour: CodedColour) -> int:
    """Return the bytes of the file that `save` would write.

    Raises:
        InputError: a parameter cannot be coded.
    """
    return len(pack(sections_of(compressed, fmt, colour)))


def fixed_bytes(sections: Sequence[Section]) -> int:
    """Return the bytes of a file that no parameter has a part in: the header, and the frames around the sections."""
    coded = sum(len(section.payload) for section in sections if section.kind != SectionKind.HEADER)
    return len(pack(sections)) - coded


@torch.no_grad()
def estimated_bytes(compressed: CompressedModule) -> float:
    """Return the bytes that the entropy models estimate for all parameters, rounded; training goes on undisturbed."""
    training = compressed.training
    compressed.eval()
    bits = float(torch.stack(list(compressed.bits().values())).sum())
    compressed.train(training)
    return bits / 8
