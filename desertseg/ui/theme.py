"""The page's look: fonts of the system, so that none is fetched, and the colours of sand and sky."""

from __future__ import annotations

from typing import Any

import gradio as gr

_SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def make_theme() -> Any:
    """Return the theme."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.amber,
        secondary_hue=gr.themes.colors.amber,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_sm,
        spacing_size=gr.themes.sizes.spacing_sm,
        font=_SANS,
        font_mono=_MONO,
    )
    return theme.set(
        body_background_fill="#f6f4ef",
        body_background_fill_dark="#171512",
        block_background_fill="#ffffff",
        block_background_fill_dark="#211e1a",
        block_border_width="1px",
        block_shadow="none",
        button_primary_background_fill="#8a4b12",
        button_primary_background_fill_hover="#6f3a0b",
        button_primary_background_fill_dark="#9c5a18",
        button_primary_background_fill_hover_dark="#87490f",
        button_primary_text_color="#ffffff",
        slider_color="#8a4b12",
        slider_color_dark="#d08a3e",
        checkbox_background_color_selected="#8a4b12",
        checkbox_background_color_selected_dark="#b4691f",
    )
