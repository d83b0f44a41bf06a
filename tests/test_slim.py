"""An environment with neither TensorFlow nor Keras Hub still draws, fits, scores and predicts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras_hub"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
import desertseg
out = sys.argv[1]
desertseg.write_dataset(f"{out}/data", train=4, val=2, size=(48, 80))
run = desertseg.fit(f"{out}/data", f"{out}/run", size=(32, 64), epochs=1, batch_size=2, progress=False)
scores = desertseg.evaluate(run.best, f"{out}/data", progress=False).scores
done = desertseg.predict(run.best, f"{out}/data/val/Color_Images", f"{out}/predictions", progress=False)
print(len(done.masks), int(scores.confusion.sum()))
"""


def test_slim_environment(tmp_path: Path) -> None:
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    command = [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", str(2 * 48 * 80)]
