"""A model out of Keras: files for other runtimes, each compared with the model before it is kept."""

from desertseg.backend import default_backend

default_backend()

from desertseg.export.export import AGREEMENT, Export, ExportError, export_model, prepare  # noqa: E402
from desertseg.export.plan import DTYPES, FREE, Plan  # noqa: E402

__all__ = ["AGREEMENT", "DTYPES", "FREE", "Export", "ExportError", "Plan", "export_model", "prepare"]
