"""The page's own parts: the viewer, and sentences."""

from __future__ import annotations

import html
from collections.abc import Sequence

import gradio as gr

from desertseg.report.document import sentence
from desertseg.ui.viewer import TEMPLATE, describe, read_static


def make_viewer() -> gr.HTML:
    """Return the component that draws the layers of an answer or two."""
    return gr.HTML(
        describe([]),
        html_template=TEMPLATE,
        js_on_load=read_static("paint.js") + read_static("viewer.js"),
        apply_default_css=False,
        elem_id="viewer",
    )


def say(problems: Sequence[str] = (), remarks: Sequence[str] = ()) -> str:
    """Return sentences as HTML: what went wrong, then what is to be known."""
    kinds = [("problem", text) for text in problems] + [("remark", text) for text in remarks]
    lines = [
        f'<p class="{kind}" role="{"alert" if kind == "problem" else "status"}">{html.escape(sentence(text))}</p>'
        for kind, text in kinds
    ]
    return f'<div class="say">{"".join(lines)}</div>' if lines else ""
