"""Browsing the data folder on the page: by scene, by class, at random, worst first."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import gradio as gr

from desertseg.errors import UserError
from desertseg.ui.album import SHOWN, Album, Pick, page_of
from desertseg.ui.parts import say

SCENE, CLASS, RANDOM, WORST = "Scene", "Class", "Random", "Worst first"
_COUNT = re.compile(r" \([\d,]+\)$")
_NO_WORST = "`desertseg evaluate` writes beside a model how each frame scored; none of this folder is there."


class Browser:
    """The part of the page that shows a data folder, and its events.

    Args:
        album: the folder.
        models: of the page, whose evaluations know the worst frames.
    """

    def __init__(self, album: Album, models: tuple[str, ...]) -> None:
        self.album, self.models = album, models
        self._worst = {
            f"{worst.title}, by {model}": list(worst.picks) for model in models for worst in album.worst(model)
        }

    def build(self) -> None:
        """Lay it out; within a Gradio context."""
        with gr.Accordion(
            f"Browse {self.album.title} · {len(self.album.frames):,} frames", open=True, elem_id="browse"
        ):
            ways = [SCENE, CLASS, RANDOM, *([WORST] if self._worst else [])]
            self.way = gr.Radio(ways, value=SCENE, label="By", elem_id="way", container=False)
            scenes = self._names(SCENE)
            self.which = gr.Dropdown(scenes, value=scenes[0], show_label=False, container=False, elem_id="which")
            self.words = gr.HTML("", elem_id="browse-say")
            picks = self._picks(SCENE, scenes[0])
            self.picks = gr.State(picks)
            self.number = gr.State(0)
            self.gallery = gr.Gallery(
                self._pictures(picks, 0),
                columns=2,
                height="auto",
                show_label=False,
                allow_preview=False,
                object_fit="cover",
                buttons=[],
                interactive=False,
                elem_id="gallery",
            )
            with gr.Row(elem_id="pages"):
                self.back = gr.Button("‹ Back", size="sm", min_width=60)
                self.where = gr.HTML(_where(picks, 0), elem_id="where")
                self.forth = gr.Button("More ›", size="sm", min_width=60)

    def wire(self, choose: Callable[..., Any]) -> None:
        """Connect the events.

        Args:
            choose: is called with the gallery's selection event to label what was clicked.
        """
        shown = [self.picks, self.number, self.gallery, self.where, self.words]
        quiet: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
        self.way.input(self._turn, [self.way], [self.which, *shown], **quiet)
        self.which.input(self._find, [self.way, self.which], shown, **quiet)
        for button, step in ((self.back, -1), (self.forth, 1)):
            button.click(self._pager(step), [self.way, self.picks, self.number], shown, **quiet)
        choose(self.gallery.select, [self.picks, self.number])

    def _names(self, way: str) -> list[str]:
        """Return what there is to choose from, with how many frames each has."""
        if way == SCENE:
            return [f"{scene or '(no name)'} ({count:,})" for scene, count in self.album.scenes.items()]
        if way == CLASS:
            return [f"{name} ({count:,})" for name, count in self.album.classes.items()]
        return list(self._worst) if way == WORST else []

    def _picks(self, way: str, which: str | None) -> list[Pick]:
        if way == RANDOM:
            return self.album.at_random(random.randrange(1 << 30))
        if not which:
            return []
        name = _COUNT.sub("", which)
        if way == CLASS:
            return self.album.of_class(name)
        return self._worst.get(which, []) if way == WORST else self.album.of_scene("" if name == "(no name)" else name)

    def _turn(self, way: str) -> tuple[Any, ...]:
        """Another way: what there is to choose, and the first of it."""
        try:
            names = self._names(way)
        except UserError as error:
            return gr.skip(), *self._show([], 0, str(error))
        first = names[0] if names else None
        note = "No frame here has a mask, so none can be found by class." if way == CLASS and not names else ""
        which = gr.Dropdown(choices=names, value=first, visible=bool(names))
        return which, *self._show(self._picks(way, first), 0, note)

    def _find(self, way: str, which: str) -> tuple[Any, ...]:
        try:
            return self._show(self._picks(way, which), 0)
        except UserError as error:
            return self._show([], 0, str(error))

    def _pager(self, step: int) -> Callable[..., tuple[Any, ...]]:
        def turn(way: str, picks: list[Pick], number: int) -> tuple[Any, ...]:
            if way == RANDOM:
                return self._show(self._picks(way, None), 0)
            return self._show(picks, number + step)

        return turn

    def _show(self, picks: list[Pick], number: int, note: str = "") -> tuple[Any, ...]:
        _, pages = page_of(picks, number)
        number = min(max(0, number), pages - 1)
        words = say([note]) if note else ""
        return picks, number, self._pictures(picks, number), _where(picks, number), words

    def _pictures(self, picks: list[Pick], number: int) -> list[tuple[Any, str]]:
        return [(self.album.thumbnail(pick.place), pick.caption) for pick in page_of(picks, number)[0]]


def _where(picks: list[Pick], number: int) -> str:
    first = number * SHOWN
    return f"<span>{first + 1:,}–{min(first + SHOWN, len(picks)):,} of {len(picks):,}</span>" if picks else ""
