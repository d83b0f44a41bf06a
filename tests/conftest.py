"""What several rooms' tests share: a tiny desert and one tiny trained run, made once a session."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TINY = (48, 80)
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CONTRAST = """selector => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const under = e => {
    let layers = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) layers.push(c);
    }
    return layers.reverse().reduce((b, c) => b.map((v, i) => v + (c[i] - v) * (c[3] ?? 1)), [255, 255, 255]);
  };
  return [...document.querySelectorAll(selector)].filter(e =>
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility()
  ).map(e => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(under(e))];
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.tagName + ' ' + e.textContent.trim().slice(0, 30)];
  }).filter(([ratio]) => ratio < 4.5);
}"""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep every test that needs the trained run on one xdist worker, so that it is trained once."""
    for item in items:
        if "tiny_run" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("tiny_run"))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is counted or fetched in a folder of this session, not in the home of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESERTSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed what Keras draws its initialisers' seeds from, so that a test sees the same network every time."""
    random.seed(0)


@pytest.fixture(scope="session")
def tiny_desert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A procedural desert in Falcon's layout: 8 training and 5 validation frames of 48x80."""
    from desertseg.data.synthetic import write_dataset

    folder = tmp_path_factory.mktemp("data") / "desert"
    write_dataset(folder, train=8, val=5, size=TINY, seed=3)
    return folder


@pytest.fixture(scope="session")
def tiny_run(tiny_desert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two epochs on the tiny desert at 32x64."""
    from desertseg.engine import fit

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    fit(tiny_desert, folder, size=(32, 64), epochs=2, batch_size=4, progress=False)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright; for tests that carry the mark of that name."""
    api = pytest.importorskip("playwright.sync_api", reason="`make test-ui` installs playwright")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; apt install chromium, or set CHROMIUM")
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture(scope="session")
def find_faint_text() -> Callable[[Any, str], list]:
    """What lists the texts of a page, below a selector, whose contrast with their ground is under 4.5."""
    return lambda page, selector: page.evaluate(CONTRAST, selector)
