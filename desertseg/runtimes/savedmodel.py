"""SavedModel folders, run by TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from desertseg.errors import UserError
from desertseg.runtimes.facts import KEY
from desertseg.runtimes.packages import need

FACTS = Path("assets.extra") / f"{KEY}.json"  # SavedModel's own place for what else belongs to it
_SIGNATURE = "serving_default"


class SavedModelSession:
    """A SavedModel's signature "serving_default", on a GPU where TensorFlow finds one.

    Args:
        path: the folder.
        threads: without meaning here; TensorFlow's are set before its first operation, by TF_NUM_INTRAOP_THREADS.

    Raises:
        UserError: TensorFlow is not installed, or refuses the folder.
    """

    def __init__(self, path: Path, threads: int) -> None:
        tf = need("tensorflow", None, "a SavedModel is run")
        try:
            self._loaded = tf.saved_model.load(str(path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise UserError(f"TensorFlow refuses {path}: {str(error).splitlines()[0]}; export it again") from error
        if _SIGNATURE not in self._loaded.signatures:
            raise UserError(f"{path} has no signature '{_SIGNATURE}'; give a folder that `desertseg export` wrote")
        self._answer = self._loaded.signatures[_SIGNATURE]
        device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        self.runtime = f"TensorFlow {tf.__version__}, {device}"
        facts = path / FACTS
        self.facts = facts.read_text(encoding="utf-8") if facts.is_file() else None
        self._constant = tf.constant

    def answer(self, images: np.ndarray) -> np.ndarray:
        """Return what the model answers to images of the dtype, size and batch that it takes."""
        return next(iter(self._answer(images=self._constant(images)).values())).numpy()
