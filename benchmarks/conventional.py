"""Rate and quality of conventional codecs on one video, as a CSV.

python benchmarks/conventional.py --video clip.mkv --codecs x264 x265 --quality 22 26 30 34 38 --out points.csv
"""

import csv
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import NvrcError
from nvrc_components.video_format import ColourMatrix
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.video import Video
from nvrc_lightning.evaluation.conventional import ConventionalPoint, encode_conventional
from nvrc_lightning.evaluation.encoders import CODECS, ConventionalCodec


def main() -> int:
    """Encode, measure and write; the exit code is 2 where an input cannot be used."""
    options = _parse()
    try:
        video = read_video(options.video)
        if options.matrix:
            video = Video(replace(video.format, matrix=ColourMatrix[options.matrix]), video.planes)
        with atomic_path(options.out, force=options.force) as temporary:
            _write(temporary, list(_rows(options, video)))
    except NvrcError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parse() -> Namespace:
    """Options of the command line."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--codecs", nargs="+", default=["x264", "x265"], choices=list(CODECS))
    parser.add_argument("--quality", nargs="+", type=int, default=[22, 26, 30, 34, 38])
    parser.add_argument("--preset", default="", help="encoder preset; the codec's slow one by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--matrix", choices=[matrix.name for matrix in ColourMatrix], help="overrides the file's")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--force", action="store_true", help="replace the CSV if it exists")
    return parser.parse_args()


def _rows(options: Namespace, video: Video) -> Iterator[dict[str, str]]:
    """One row for each codec and quality, told on the way."""
    with tempfile.TemporaryDirectory() as folder:
        for name in options.codecs:
            for quality in options.quality:
                path = Path(folder) / f"{name}_{quality}.mkv"
                codec = ConventionalCodec(name, quality, options.preset, options.threads)
                point = encode_conventional(video, codec, path)
                row = _row(options.video.name, video, point) | {"versions": _versions(point)}
                print("  ".join(f"{key} {row[key]}" for key in ("codec", "quality", "bpp", "psnr_rgb")), flush=True)
                yield row


def _row(clip: str, video: Video, point: ConventionalPoint) -> dict[str, str]:
    """A point in the units of the CSV; a score that is not defined is an empty cell."""
    scores = point.scores
    figures = {
        "psnr_rgb": f"{scores.psnr_rgb:.3f}",
        "psnr_yuv611": f"{scores.psnr_yuv611:.3f}",
        "ms_ssim": f"{scores.ms_ssim_rgb:.5f}",
    }
    return {
        "clip": clip,
        "frames": str(scores.frames),
        "matrix": video.format.matrix.name,
        "codec": point.codec.name,
        "preset": point.codec.preset,
        "quality": str(point.codec.quality),
        "bytes": str(point.coded_bytes),
        "bpp": f"{point.bpp:.5f}",
        **{key: "" if text == "nan" else text for key, text in figures.items()},
        "encode_s": f"{point.encode_seconds:.2f}",
        "decode_fps": f"{point.decode_fps:.0f}",
        "threads": str(point.codec.threads),
    }


def _versions(point: ConventionalPoint) -> str:
    """Version of PyAV, and of the encoder where it signs its files."""
    return f"av {metadata.version('av')}" + (f"; encoder {point.version}" if point.version else "")


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    """The CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
