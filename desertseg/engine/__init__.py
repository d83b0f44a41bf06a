"""A recipe in, a run folder out: fit, evaluate, predict."""

from desertseg.backend import default_backend

default_backend()

from desertseg.engine.benchmark import Benchmark, benchmark  # noqa: E402
from desertseg.engine.checkpoint import load_model, load_segmenter  # noqa: E402
from desertseg.engine.compare import Comparison, compare  # noqa: E402
from desertseg.engine.demo import Demo, run_demo  # noqa: E402
from desertseg.engine.evaluate import evaluate  # noqa: E402
from desertseg.engine.evaluate_masks import evaluate_masks  # noqa: E402
from desertseg.engine.evaluation import Evaluation  # noqa: E402
from desertseg.engine.fit import fit, resume  # noqa: E402
from desertseg.engine.gap import Gap, gap  # noqa: E402
from desertseg.engine.hosts import join_hosts  # noqa: E402
from desertseg.engine.predict import Predictions, predict  # noqa: E402
from desertseg.engine.recipe import Recipe, RecipeError, load_recipe  # noqa: E402
from desertseg.engine.report import write_report  # noqa: E402
from desertseg.engine.training import Run  # noqa: E402

__all__ = [
    "Benchmark",
    "Comparison",
    "Demo",
    "Evaluation",
    "Gap",
    "Predictions",
    "Recipe",
    "RecipeError",
    "Run",
    "benchmark",
    "compare",
    "evaluate",
    "evaluate_masks",
    "fit",
    "gap",
    "join_hosts",
    "load_model",
    "load_recipe",
    "load_segmenter",
    "predict",
    "resume",
    "run_demo",
    "write_report",
]
