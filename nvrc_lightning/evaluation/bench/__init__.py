"""Rate-distortion sweeps over codecs and recipes, resumable point by point, with BD-rates and published anchors.

`bench` does it all; `read_points` and `frames_of` are for looking at what it left behind.
"""

from nvrc_lightning.evaluation.bench.frames import frames_of
from nvrc_lightning.evaluation.bench.point import Point, read_points
from nvrc_lightning.evaluation.bench.sweep import bench

__all__ = ["Point", "bench", "frames_of", "read_points"]
