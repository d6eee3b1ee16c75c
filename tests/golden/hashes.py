"""Where the golden files lie, and what they are known by."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from nvrc_components import CodedColour, VideoFile, load, save
from nvrc_components.bitstream import SectionKind
from nvrc_components.coding.range_coder import SymbolDecoder

FILES = Path(__file__).parent / "files"
Hashes = dict[str, int | str]
"""Size of a file, and SHA-256 of it, of its symbols (int64, little-endian) and of its parameters (float32)."""


def path_of(name: str) -> Path:
    return FILES / f"{name}.nvrc"


def names() -> list[str]:
    return sorted(path.stem for path in FILES.glob("*.nvrc"))


def pinned(name: str) -> Hashes:
    hashes: Hashes = json.loads((FILES / f"{name}.json").read_text(encoding="utf-8"))
    return hashes


@torch.no_grad()
def symbols_of(video: VideoFile) -> Iterator[Tensor]:
    """Decode the symbols of all parameters from their streams, where the network is."""
    compressed = video.compressed
    streams = {section.name: section.payload for section in video.sections if section.kind == SectionKind.GROUP}
    decoders = {name: SymbolDecoder(stream) for name, stream in streams.items()}
    for codec, parameter in zip(compressed.tensor_codecs(), compressed.module.parameters(), strict=True):
        log2_step = codec.quantizer.log2_step()
        yield codec.entropy_model.decode(parameter.shape, log2_step, decoders[codec.group])


def written(video: VideoFile) -> bytes:
    """Return the file that encoding this video's parameters gives."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "again.nvrc"
        save(video.compressed, video.format, path, CodedColour(video.header.coded_colour))
        return path.read_bytes()


def of_file(data: bytes) -> Hashes:
    return {"bytes": len(data), "file": hashlib.sha256(data).hexdigest()}


def of_tensors(tensors: Iterable[Tensor], dtype: str) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        # To float64 first, which holds them all, and which NumPy has.
        digest.update(tensor.detach().double().cpu().contiguous().numpy().astype(dtype).tobytes())
    return digest.hexdigest()


def of_video(video: VideoFile) -> Hashes:
    parameters = dict(video.compressed.module.named_parameters())
    codecs = video.compressed.tensor_codecs()
    symbols = (codec.rounded(*item) for codec, item in zip(codecs, parameters.items(), strict=True))
    return {"symbols": of_tensors(symbols, "<i8"), "parameters": of_tensors(parameters.values(), "<f4")}


def found(name: str) -> Hashes:
    """Return the hashes of what a file decodes to, and of the file that encoding that gives."""
    video = load(path_of(name))
    return {**of_file(written(video)), **of_video(video)}
