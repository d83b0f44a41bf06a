"""The page itself: what stands where, and which button asks the desk for what. Gradio draws and serves it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from desertseg.errors import UserError
from desertseg.ui.album import Pick, page_of
from desertseg.ui.answer import Answer
from desertseg.ui.browser import Browser
from desertseg.ui.case import FILES
from desertseg.ui.clip import MOST_FRAMES
from desertseg.ui.desk import Desk, show_results
from desertseg.ui.given import Given, Options, parse_size
from desertseg.ui.parts import make_viewer, say
from desertseg.ui.viewer import describe

_ALONE: dict[str, Any] = {"concurrency_id": "device", "concurrency_limit": 1, "api_visibility": "private"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_NO_SECOND = "none"
_CLEANED = (3600, 6 * 3600)  # seconds: every hour, uploads of six hours ago go
_CLICK = "() => document.querySelector('#handed a, a#handed, #handed')?.click()"


class Page:
    """The page of a desk.

    Args:
        desk: does the work.

    Attributes:
        blocks: what Gradio serves.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with gr.Blocks(
            title="desertseg", analytics_enabled=False, fill_width=True, delete_cache=_CLEANED
        ) as self.blocks:
            self.given, self.waiting, self.answers, self.drawn = (gr.State(v) for v in (None, None, (), 0))
            gr.HTML(_head(desk.welcome, desk.shelf.is_shipped), elem_id="head")
            with gr.Tabs():
                with gr.Tab("Frame", id="frame"), gr.Row(elem_id="desk"):
                    with gr.Column(elem_id="side", min_width=280):
                        self._build_side()
                    with gr.Column(elem_id="main", min_width=300):
                        self._build_main()
                with gr.Tab("Video", id="video"):
                    self._build_video()
            self._wire()

    def _build_side(self) -> None:
        self.frame = gr.File(label="Frame", height=76, elem_id="give-frame")
        self.mask = gr.File(label="Truth mask (optional)", height=72, elem_id="give-mask")
        with gr.Row(elem_id="given"):
            self.named = gr.HTML("", elem_id="named")
            self.forget = gr.Button("Remove the truth", size="sm", min_width=120, visible=False, elem_id="forget")
        self.desert = gr.Button("Try a procedural desert", size="sm", elem_id="desert")
        names = list(self.desk.shelf.names)
        with gr.Group(elem_id="models"):
            self.model = gr.Dropdown(names, value=names[0], label="Model", elem_id="model")
            others = [_NO_SECOND, *names]
            self.second = gr.Dropdown(
                others, value=_NO_SECOND, label="Beside it", elem_id="second", visible=len(names) > 1
            )
        with gr.Accordion("Options", open=False, elem_id="options"):
            self.tta = gr.Checkbox(label="Test-time augmentation", info="Averages views: slower.", elem_id="tta")
            self.confidence = gr.Slider(
                0, 0.99, value=0, step=0.01, label="Unknown below this confidence", elem_id="confidence"
            )
            self.suppress = gr.Dropdown(
                self.desk.classes(names[:1]), multiselect=True, label="Classes never to predict", elem_id="suppress"
            )
            self.size = gr.Textbox(
                label="Size the network sees", placeholder="HEIGHTxWIDTH; empty: the training size", elem_id="size"
            )
        self.browser = Browser(self.desk.album, self.desk.shelf.names) if self.desk.album else None
        if self.browser:
            self.browser.build()

    def _build_main(self) -> None:
        self.words = gr.HTML(say(), elem_id="words")
        with gr.Row(elem_id="sight"):
            with gr.Column(elem_id="look", min_width=300):
                self.viewer = make_viewer()
                self._build_keeping()
            with gr.Column(elem_id="numbers", min_width=300):
                self.results = gr.HTML("", elem_id="results")

    def _build_keeping(self) -> None:
        with gr.Group(visible=False, elem_id="keep") as self.keep:
            with gr.Row(elem_id="files"):
                self.buttons = {
                    kind: gr.Button(f"↓ {title}", size="sm", elem_id=f"get-{kind}") for kind, title in FILES.items()
                }
            self.handed = gr.DownloadButton("The file", elem_id="handed")  # the style sheet hides it
            with gr.Row(elem_id="case"):
                self.note = gr.Textbox(
                    placeholder="What is worth noting here?",
                    show_label=False,
                    container=False,
                    max_length=2000,
                    elem_id="note",
                )
                self.save = gr.Button("Save the case", size="sm", variant="primary", elem_id="save")
            self.kept = gr.HTML("", elem_id="kept")

    def _build_video(self) -> None:
        with gr.Row(elem_id="film"):
            with gr.Column(min_width=280):
                self.video = gr.File(label="A short video", height=140, elem_id="give-video")
                gr.HTML(
                    f'<p class="hint">Up to {MOST_FRAMES} frames of MP4, AVI, MKV, MOV or WebM. '
                    "Model and options are those of the frame.</p>"
                )
                self.film = gr.Button("Label the video", variant="primary", interactive=False, elem_id="label-video")
            with gr.Column(scale=2, min_width=300):
                self.film_words = gr.HTML("", elem_id="film-words")
                self.shown = gr.Video(label="Overlay", interactive=False, visible=False, elem_id="overlay-video")

    @property
    def _wishes(self) -> list[Any]:
        return [self.given, self.model, self.second, self.tta, self.confidence, self.suppress, self.size]

    def _wire(self) -> None:
        taken = [self.given, self.waiting, self.frame, self.mask]
        self._answer_after(self.frame.upload(self._take_frame, [self.frame, self.waiting], taken, **_QUIET))
        self._answer_after(self.mask.upload(self._take_mask, [self.mask, self.given], taken, **_QUIET))
        self._answer_after(self.forget.click(self._forget, self.given, taken, **_QUIET))
        self._answer_after(self.desert.click(self._draw, self.drawn, [*taken, self.drawn], **_QUIET))
        for state in (self.given, self.waiting):
            state.change(self._name, [self.given, self.waiting], [self.named, self.forget], **_QUIET)
        self.model.select(self._offer_classes, [self.model, self.second, self.suppress], self.suppress, **_QUIET)
        self.second.select(self._offer_classes, [self.model, self.second, self.suppress], self.suppress, **_QUIET)
        changes = [self.model.select, self.second.select, self.tta.input, self.confidence.release, self.suppress.input]
        for change in (*changes, self.size.submit, self.size.blur):
            self._answer_on(change)
        if self.browser:
            self.browser.wire(self._choose_on)
        for kind, button in self.buttons.items():
            made = button.click(self._hand(kind), self.answers, [self.handed, self.kept], **_QUIET)
            made.success(None, None, None, js=_CLICK)
        self.save.click(self._save, [self.answers, self.note], self.kept, **_QUIET)
        self.video.change(_offer, self.video, self.film, **_QUIET)
        wishes = [self.video, *self._wishes[1:]]
        self.film.click(self._label_video, wishes, [self.shown, self.film_words], **_ALONE)

    def _answer_on(self, listen: Callable[..., Any]) -> None:
        listen(
            self._answer, self._wishes, self._shown, trigger_mode="always_last", show_progress_on=self.viewer, **_ALONE
        )

    def _answer_after(self, event: Any) -> None:
        event.then(self._answer, self._wishes, self._shown, show_progress_on=self.viewer, **_ALONE)

    def _choose_on(self, select: Callable[..., Any], inputs: list[Any]) -> None:
        self._answer_after(select(self._choose, inputs, [self.given, self.waiting], **_QUIET))

    @property
    def _shown(self) -> list[Any]:
        return [self.answers, self.viewer, self.results, self.words, self.keep, self.kept]

    # What is dropped is taken out of its box at once, so that the next file can be dropped there.

    def _take_frame(self, frame: str, waiting: Path | None) -> tuple[Given, None, None, None]:
        """A new frame; a mask that was dropped before any frame is its truth, that of an older frame goes."""
        path = Path(frame)
        return Given(path, path.name, waiting, waiting.name if waiting else ""), None, None, None

    def _take_mask(self, mask: str, given: Given | None) -> tuple[Given | None, Path | None, None, None]:
        """The truth of the frame that is there, or of the one to come."""
        path = Path(mask)
        if given is None:
            return None, path, None, None
        return replace(given, mask=path, mask_name=path.name), None, None, None

    def _forget(self, given: Given | None) -> tuple[Given | None, None, None, None]:
        return replace(given, mask=None, mask_name="") if given else None, None, None, None

    def _draw(self, drawn: int) -> tuple[Given, None, None, None, int]:
        return self.desk.draw_desert(drawn), None, None, None, drawn + 1

    def _choose(self, picks: list[Pick], number: int, event: gr.SelectData) -> tuple[Given | None, None]:
        shown = page_of(picks, number)[0]
        index = event.index if isinstance(event.index, int) else -1
        if self.desk.album is None or not 0 <= index < len(shown):
            return None, None
        return self.desk.album.given(shown[index].place), None

    def _name(self, given: Given | None, waiting: Path | None) -> tuple[str, Any]:
        """Say which frame and which truth are there."""
        mask = given.mask_name if given else waiting.name if waiting else ""
        rows = [("Frame", given.name if given else "still to come" if mask else ""), ("Truth", mask)]
        text = "".join(f"<p><b>{kind}</b> {html.escape(name)}</p>" for kind, name in rows if name)
        return text, gr.Button(visible=bool(mask))

    def _offer_classes(self, model: str, second: str, chosen: list[str]) -> Any:
        names = self.desk.classes([model] + [second] * (second != _NO_SECOND))
        return gr.Dropdown(choices=names, value=[name for name in chosen or [] if name in names])

    def _answer(self, given: Given | None, model: str, second: str, *options: Any) -> tuple[Any, ...]:
        if given is None:
            return (), describe([]), "", say(), gr.Group(visible=False), ""
        models = [model] + [second] * (second != _NO_SECOND)
        try:
            told = self.desk.answer(given, models, _read_options(*options))
        except UserError as error:
            return (), describe([], given.name), "", say([str(error)]), gr.Group(visible=False), ""
        words = say(told.problems, told.remarks)
        answers = told.answers
        return answers, describe(answers, given.name), show_results(answers), words, gr.Group(visible=bool(answers)), ""

    def _hand(self, kind: str) -> Callable[[Sequence[Answer]], tuple[Any, str]]:
        def hand(answers: Sequence[Answer]) -> tuple[Any, str]:
            try:
                return gr.DownloadButton(value=str(self.desk.file_of(answers, kind))), ""
            except UserError as error:
                return gr.skip(), say([str(error)])

        return hand

    def _save(self, answers: Sequence[Answer], note: str) -> str:
        try:
            return say(remarks=[self.desk.save(answers, note)])
        except UserError as error:
            return say([str(error)])

    def _label_video(self, video: str | None, model: str, second: str, *options: Any) -> tuple[Any, str]:
        if video is None:
            return gr.skip(), say(["There is no video yet; drop one first."])
        try:
            clip = self.desk.label_video(Path(video), model, _read_options(*options))
        except UserError as error:
            return gr.Video(value=None, visible=False), say([str(error)])
        return gr.Video(value=str(clip.path), visible=True), say(remarks=[clip.summary])


def _read_options(tta: bool, confidence: float, suppress: list[str] | None, size: str) -> Options:
    """Return the options as the page has them.

    Raises:
        UserError: the size is none.
    """
    return Options(bool(tta), tuple(suppress or ()), float(confidence) or None, parse_size(size))


def _offer(file: str | None) -> Any:
    """Make the button of a video ready where there is one."""
    return gr.Button(interactive=file is not None)


def _head(welcome: str, is_shipped: bool) -> str:
    kind = "note" if is_shipped else "models"
    return f'<header class="head"><h1>desertseg</h1><p class="{kind}">{html.escape(welcome)}</p></header>'
