"""Small benches: real files of real frames, measured as a sweep would, without training."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from nvrc_components.bitstream.video_file import load, save
from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_lightning.evaluation.bench.point import Point, point_path, write_point
from nvrc_lightning.evaluation.bench.reference import open_reference, write_reference
from nvrc_lightning.evaluation.conventional import encode_conventional
from nvrc_lightning.evaluation.encoders import ConventionalCodec
from nvrc_lightning.evaluation.metrics import score
from nvrc_lightning.evaluation.provenance import Machine
from nvrc_lightning.evaluation.result import Cost, Rate, Result, Run

FRAMES = 6
MACHINE = Machine("cpu", "Test CPU", 2, 1, "Linux x86_64")
RUN = Run(MACHINE, 0, {"python": "3.12.0", "torch": "2.6.0"}, "0123456789abcdef0123456789abcdef01234567")


def groups(log2_step):
    return [
        Group("grids", "*features.grid", partial(BlockQuantizer, log2_start=log2_step), OctreeContext),
        Group("local", "*.grid", TensorQuantizer, GaussianPrior),
        Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
    ]


def add(folder, point, result, stream, settings):
    video, codec, variant, setting = point
    write_point(Point(video, codec, variant, setting, result, stream, settings), folder)


def place_of(folder, point, suffix):
    stream = f"streams/{point_path(*point, suffix)}"
    (folder / stream).parent.mkdir(parents=True, exist_ok=True)
    return stream


def add_conventional(folder, name, pixels, codec, qualities, preset="ultrafast"):
    for quality in qualities:
        point = (name, codec, f"{preset}, one intra frame", f"crf {quality}")
        stream = place_of(folder, point, ".mkv")
        chosen = ConventionalCodec(codec, quality, preset, threads=1)
        coded = encode_conventional(pixels, chosen, folder / stream)
        rate, cost = Rate(coded.coded_bytes, pixels.format.pixels), Cost({"encode": 0.25 * quality}, 0.02, 300.0, 80.0)
        result = Result(name, codec, rate, coded.scores, cost, replace(RUN, seed=None))
        add(folder, point, result, stream, chosen.options)


def add_own(folder, name, pixels, steps, codec="nvrc_lite"):
    """Files of a network that was not trained: its pictures are noise, its bytes and scores are real."""
    for step in steps:
        point = (name, codec, "0 epochs, size xxs", f"lambda {2.0**-step:g}")
        stream = place_of(folder, point, ".nvrc")
        torch.manual_seed(0)
        fmt = pixels.format
        network = NvrcLite(NvrcLiteConfig(fmt.frames, fmt.height, fmt.width, widths=(12, 8, 6, 4)))
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        size = save(CompressedModule(network, groups(step)).eval(), fmt, folder / stream)
        file = load(folder / stream)
        sections = {section.label: len(section.framed()) for section in file.sections}
        rate = Rate(size, fmt.pixels, float(size), sections)
        cost = Cost({"fit": 100.0, "coding": 1.5}, 0.5, 12.0, 900.0, 12345, 6789.0)
        result = Result(name, codec, rate, score(file.frames(), pixels), cost, RUN)
        add(folder, point, result, stream, {"epochs": "0", "lambda": f"{2.0**-step:g}"})


def start(folder, frames=f"0:{FRAMES}"):
    """Register the shipped clip as a video of the bench; its name and pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    reference, pixels = open_reference("bunny", folder, frames)
    write_reference(reference, folder)
    return reference.video, pixels


def copy_points(folder: Path, target: Path, keep) -> Path:
    """A bench beside another with some of its points, changed or not, and all of its files."""
    from shutil import copytree

    from nvrc_lightning.evaluation.bench.point import read_points

    for part in ("streams", "videos"):
        copytree(folder / part, target / part)
    for point in read_points(folder):
        if changed := keep(point):
            write_point(changed, target)
    return target
