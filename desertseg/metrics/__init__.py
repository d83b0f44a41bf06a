"""Metrics from one confusion matrix, on the device and in NumPy."""

from desertseg.backend import default_backend

default_backend()

from desertseg.metrics.confusion import MetricError, Scores, count_confusion_numpy  # noqa: E402
from desertseg.metrics.mean_iou import MeanIoU, count_confusion  # noqa: E402

__all__ = ["MeanIoU", "MetricError", "Scores", "count_confusion", "count_confusion_numpy"]
