"""The video as training sees it."""

import torch
from torch import Tensor

from nvrc_components.bitstream.video_file import CodedColour
from nvrc_components.errors import InputError
from nvrc_components.functional.color import upsample_chroma
from nvrc_components.video_format import Chroma
from nvrc_lightning.data.video import Video

__all__ = ["training_frames"]


def training_frames(video: Video, colour: CodedColour) -> Tensor:
    """Return the video as training sees it: integer code values of the coded colour space.

    Shape: (T, 3, H, W).

    Raises:
        InputError: the colour is YUV, but the video is RGB.
    """
    if colour == CodedColour.RGB:
        return video.rgb()
    fmt = video.format
    if fmt.chroma == Chroma.RGB:
        raise InputError("the video is RGB and cannot be coded as YUV; leave --model.colour at RGB")
    planes = [
        plane if size == fmt.plane_sizes[0] else upsample_chroma(plane.float(), fmt.plane_sizes[0]).round().to(plane)
        for plane, size in zip(video.planes, fmt.plane_sizes, strict=True)
    ]
    return torch.stack(planes, 1)
