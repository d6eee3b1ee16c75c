"""Published figures, each with its source, and the test sequences they are of.

points.csv: rate-distortion points. bd_rates.csv, complexity.csv, ablations.csv: the tables of the NVRC paper.
sequences.csv: names, geometry and frame counts of the sequences; sha256 of a file where one was published.
"""

from nvrc_lightning.evaluation.anchors.published import PublishedPoint, published_average, published_points
from nvrc_lightning.evaluation.anchors.sequences import DATA_SETS, KnownSequence, find_sequences, find_set

__all__ = [
    "DATA_SETS",
    "KnownSequence",
    "PublishedPoint",
    "find_sequences",
    "find_set",
    "published_average",
    "published_points",
]
