"""The whole road once, with no data: two procedural deserts, a training, two scores, predictions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from desertseg.data.synthetic import write_dataset
from desertseg.engine.evaluate import evaluate
from desertseg.engine.evaluation import Evaluation
from desertseg.engine.fit import fit
from desertseg.engine.predict import Predictions, predict
from desertseg.engine.recipe import Recipe
from desertseg.engine.training import Run
from desertseg.files import prepare_folder
from desertseg.terminal import progress_line

_SIZE = (270, 480)  # half of Falcon's: the demo is about the road, and two cores have to walk it in minutes


@dataclass(frozen=True)
class Demo:
    """What the demo made: the run, its scores on the desert it trained in and on another one, and the predictions."""

    run: Run
    home: Evaluation
    shifted: Evaluation
    predictions: Predictions


def run_demo(
    out: str | Path,
    recipe: Recipe,
    *,
    frames: int = 160,
    held_out: int = 24,
    overwrite: bool = False,
    progress: bool = True,
) -> Demo:
    """Return what came of training `recipe` in a procedural desert and testing it there and in a canyon.

    Args:
        out: the folder to make: desert/ and canyon/ (data), run/, predictions/.
        recipe: what to train and how.
        frames: training frames to draw.
        held_out: frames to draw for validation in the desert, and for the test in the canyon.
        overwrite: replace what an earlier demo left in `out`.
        progress: print progress bars.

    Raises:
        UserError: a folder that may not be written.
    """
    out = prepare_folder(out, overwrite)
    _draw(out / "desert", "desert", frames, held_out, overwrite, progress)
    _draw(out / "canyon", "canyon", 0, held_out, overwrite, progress)
    run = fit(out / "desert", out / "run", recipe, overwrite=overwrite, progress=progress)
    home = evaluate(run.best, out / "desert", split="val", overwrite=overwrite, progress=progress)
    shifted = evaluate(run.best, out / "canyon", split="val", overwrite=overwrite, progress=progress)
    sources = [out / "desert" / "val" / "Color_Images", out / "canyon" / "val" / "Color_Images"]
    predictions = predict(run.best, sources, out / "predictions", overwrite=overwrite, progress=progress)
    return Demo(run, home, shifted, predictions)


def _draw(folder: Path, domain: str, train: int, val: int, overwrite: bool, progress: bool) -> None:
    with progress_line(f"draw {domain}", train + val, "frames", progress) as line:
        write_dataset(
            folder,
            domain=domain,
            train=train,
            val=val,
            size=_SIZE,
            workers=os.cpu_count() or 1,
            overwrite=overwrite,
            progress=lambda done, total: line.advance(),
        )
        line.note(f"{folder}: {train + val} frames drawn")
