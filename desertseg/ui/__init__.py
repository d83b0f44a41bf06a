"""A page in the browser: label frames and videos, see how sure a model is, score it, compare two, keep a case.

Only `page` and `server` need Gradio, the extra `ui`; what they show is worked out by modules that do without.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from desertseg.errors import UserError

if TYPE_CHECKING:
    from desertseg.ui.server import serve as serve

__all__ = ["serve"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'desertseg.ui' has no attribute '{name}'")
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio, which is not installed: pip install 'desertseg[ui]'")
    from desertseg.ui.server import serve

    return serve


def __dir__() -> list[str]:
    return __all__
