"""Folders and files -> batches, in numpy and OpenCV; no Keras here, and TensorFlow only in `format="tf"`."""

from desertseg.data.augmentation import Augmentation
from desertseg.data.batches import count_batches, load_dataset
from desertseg.data.errors import DataError
from desertseg.data.evaluation import EvaluationBatch, load_evaluation
from desertseg.data.folders import Frame, find_frames, find_images, find_labels, find_layout
from desertseg.data.layouts import Layout
from desertseg.data.letterbox import Box, fit_box, letterbox, letterbox_labels, resize_image, resize_labels
from desertseg.data.lists import read_list, write_list
from desertseg.data.predictions import match_predictions, read_prediction
from desertseg.data.read import image_size, read_image, read_mask, read_pair, write_png
from desertseg.data.source import BatchSource
from desertseg.data.statistics import ClassIndex, index_classes

__all__ = [
    "Augmentation",
    "BatchSource",
    "Box",
    "ClassIndex",
    "DataError",
    "EvaluationBatch",
    "Frame",
    "Layout",
    "count_batches",
    "find_frames",
    "find_images",
    "find_labels",
    "find_layout",
    "fit_box",
    "image_size",
    "index_classes",
    "letterbox",
    "letterbox_labels",
    "load_dataset",
    "load_evaluation",
    "match_predictions",
    "read_image",
    "read_list",
    "read_mask",
    "read_pair",
    "read_prediction",
    "resize_image",
    "resize_labels",
    "write_list",
    "write_png",
]
