"""Points with made-up figures."""

from nvrc_lightning.evaluation.bench.point import Point, point_path
from nvrc_lightning.evaluation.metrics import Scores
from nvrc_lightning.evaluation.provenance import Machine
from nvrc_lightning.evaluation.result import Cost, Rate, Result, Run

MACHINE = Machine("cpu", "some processor", 2, 1, "Linux x86_64")


def make_point(
    codec="x264", setting="crf 30", size=1000, psnr=30.0, *, video="clip.mkv", variant="veryslow", seconds=1.0
):
    scores = Scores(2, psnr, psnr + 4, psnr + 3, psnr + 6, psnr + 7, 0.95, (psnr, psnr), {}, 0.96)
    cost = Cost({"encode": seconds}, seconds / 10, 20 / seconds, 100 * seconds)
    run = Run(MACHINE, None, {"python": "3.11"}, "c0ffee")
    result = Result(video, codec, Rate(size, 192 * 128 * 2, None, {"video": size}), scores, cost, run)
    stream = f"streams/{point_path(video, codec, variant, setting, '.mkv')}"
    return Point(video, codec, variant, setting, result, stream, {"crf": setting.split()[-1]})
