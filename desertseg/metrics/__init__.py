"""Metrics from one confusion matrix, on the device and in NumPy."""

from desertseg.backend import default_backend

default_backend()

from desertseg.metrics.confusion import MetricError, Scores, count_confusion_numpy  # noqa: E402
from desertseg.metrics.intervals import bootstrap, paired_difference  # noqa: E402
from desertseg.metrics.mean_iou import MeanIoU, count_confusion  # noqa: E402
from desertseg.metrics.means import Mean, compute_means  # noqa: E402
from desertseg.metrics.tally import Tally  # noqa: E402

__all__ = [
    "Mean",
    "MeanIoU",
    "MetricError",
    "Scores",
    "Tally",
    "bootstrap",
    "compute_means",
    "count_confusion",
    "count_confusion_numpy",
    "paired_difference",
]
