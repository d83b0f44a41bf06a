// The viewer: draws a frame's layers on canvases, so that opacity, classes and layers change without the server.
// Gradio runs this once, with `element`, `props`, `watch` and `trigger`; the value is what `viewer.describe` returns.
// It stands behind paint.js in one scope.

function place() {
  const scale = ZOOMS[state.zoom], room = 0.5 / scale;
  state.x = Math.min(Math.max(state.x, room), 1 - room);
  state.y = Math.min(Math.max(state.y, room), 1 - room);
  for (const pane of panes) {
    pane.canvas.style.transform =
      `translate(${(0.5 - state.x * scale) * 100}%, ${(0.5 - state.y * scale) * 100}%) scale(${scale})`;
    pane.canvas.style.imageRendering = scale > 2 ? "pixelated" : "auto";
    pane.stage.classList.toggle("zoomed", scale > 1);
  }
  const label = element.querySelector(".zoom output");
  if (label) label.textContent = scale + "×";
}

function zoom(step) {
  state.zoom = Math.min(Math.max(state.zoom + step, 0), ZOOMS.length - 1);
  place();
}

// The pixel under a point of the stage, both in 0..1 of it.
function pixelAt(pane, u, v) {
  const scale = ZOOMS[state.zoom];
  const x = state.x + (u - 0.5) / scale, y = state.y + (v - 0.5) / scale;
  return Math.min(pane.height - 1, Math.floor(y * pane.height)) * pane.width +
    Math.min(pane.width - 1, Math.floor(x * pane.width));
}

function describe(pane, p) {
  const c = pane.maps[4 * p], guess = pane.maps[4 * p + 2], t = pane.maps[4 * p + 1], sure = pane.sure[4 * p] / 255;
  const lines = [];
  const name = index => pane.classes[index].name;
  const color = index => index === NONE ? "#000" : rgb(pane.classes[index].color);
  const swatch = index => make("i", {class: "swatch", style: "background:" + color(index)});
  lines.push(make("span", {class: "line main"}, swatch(c),
    c === NONE ? "unknown, perhaps " + name(guess) : name(c), pane.knows ? make("b", {}, percent(sure)) : ""));
  if (pane.truth) lines.push(make("span", {class: "line"}, t === NONE ? "" : swatch(t),
    "truth: " + (t === NONE ? "ignored" : name(t)), t !== NONE && t !== c ? make("em", {}, "wrong") : ""));
  if (state.layer === "entropy" && pane.knows)
    lines.push(make("span", {class: "line"}, "entropy " + (pane.sure[4 * p + 1] / 255).toFixed(2)));
  if (state.layer === "cost" && c !== NONE) lines.push(make("span", {class: "line"},
    pane.classes[c].cost === null ? "no cost" : "cost " + pane.classes[c].cost + " of 100"));
  return lines;
}

function probe(u, v) {
  for (const pane of panes) {
    pane.tip.replaceChildren(...describe(pane, pixelAt(pane, u, v)));
    pane.tip.hidden = pane.cross.hidden = false;
    pane.cross.style.left = 100 * u + "%"; pane.cross.style.top = 100 * v + "%";
    const beside = share => `calc(${100 * share}% + 12px)`;
    Object.assign(pane.tip.style, {
      left: u < 0.6 ? beside(u) : "", right: u < 0.6 ? "" : beside(1 - u),
      top: v < 0.6 ? beside(v) : "", bottom: v < 0.6 ? "" : beside(1 - v),
    });
  }
}

const unprobe = () => panes.forEach(pane => { pane.tip.hidden = pane.cross.hidden = true; });

function follow(pane) {
  let from = null, at = [0.5, 0.5];
  const where = event => {
    const box = pane.stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
      .map(share => Math.min(Math.max(share, 0), 0.9999));
  };
  pane.stage.addEventListener("pointermove", event => {
    const [u, v] = where(event);
    if (from && state.zoom) {
      const scale = ZOOMS[state.zoom];
      state.x = from.x - (u - from.u) / scale; state.y = from.y - (v - from.v) / scale;
      unprobe(); place();
    } else probe(u, v);
  });
  pane.stage.addEventListener("pointerdown", event => {
    const [u, v] = where(event);
    from = {u, v, x: state.x, y: state.y};
    if (state.zoom) pane.stage.setPointerCapture(event.pointerId);
    probe(u, v);
  });
  for (const end of ["pointerup", "pointercancel"]) pane.stage.addEventListener(end, () => { from = null; });
  pane.stage.addEventListener("pointerleave", unprobe);
  pane.stage.addEventListener("dblclick", event => {
    const [u, v] = where(event), scale = ZOOMS[state.zoom];
    if (state.zoom === ZOOMS.length - 1) state.zoom = 0;
    else { state.x += (u - 0.5) / scale; state.y += (v - 0.5) / scale; state.zoom++; }
    place();
  });
  pane.stage.addEventListener("keydown", event => {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1 : -1);
    if (!step) return;
    event.preventDefault();
    at = at.map((share, i) => Math.min(Math.max(share + step[i] / 50, 0), 0.9999));
    probe(...at);
  });
}

function legend(pane) {
  const entries = pane.classes.filter(c => c.share > 0 || c.in_truth);
  if (pane.unknown > 0) entries.push({name: "unknown", color: [0, 0, 0], share: pane.unknown});
  const boxes = entries.map(c => {
    const box = make("input", {type: "checkbox", "data-class": c.name, onchange: event => {
      event.target.checked ? state.hidden.delete(c.name) : state.hidden.add(c.name);
      for (const twin of element.querySelectorAll("[data-class]"))
        if (twin.dataset.class === c.name) twin.checked = event.target.checked;
      drawAll();
    }});
    box.checked = !state.hidden.has(c.name);
    return make("label", {class: "chip"}, box, make("i", {class: "swatch", style: "background:" + rgb(c.color)}),
      make("span", {class: "name"}, c.name), make("span", {class: "share"}, percent(c.share)));
  });
  return make("div", {class: "legend", role: "group", "aria-label": "Classes to show"}, ...boxes);
}

function key() {
  const scales = {
    confidence: [SURE, "unsure", "sure"], entropy: [DOUBT, "one class", "no idea"], cost: [COSTS, "free", "obstacle"],
  };
  const words = {
    errors: [[WRONG, "wrong"], [UNANSWERED, "no answer"], [[0, 0, 0], "ignored"]],
    changes: [],
  };
  const node = element.querySelector(".scale");
  if (!node) return;
  node.replaceChildren();
  if (scales[state.layer]) {
    const [stops, low, high] = scales[state.layer];
    node.append(low, make("i", {class: "ramp", style: "background:" + gradient(stops)}), high);
  } else if (state.layer === "changes") node.append("coloured where they differ");
  else for (const [color, word] of words[state.layer] || [])
    node.append(make("i", {class: "swatch", style: "background:" + rgb(color)}), word);
}

function choose(layer) {
  state.layer = layer;
  for (const button of element.querySelectorAll("[data-layer]"))
    button.setAttribute("aria-pressed", button.dataset.layer === layer);
  key();
  drawAll();
}

function toolbar() {
  const buttons = LAYERS.filter(([layer]) => available(layer)).map(([layer, title]) =>
    make("button", {
      type: "button", "data-layer": layer, "aria-pressed": layer === state.layer, onclick: () => choose(layer),
    }, title));
  const slider = make("input", {
    type: "range", min: 0, max: 100, value: Math.round(100 * state.opacity), "aria-label": "Opacity",
    oninput: event => {
      state.opacity = event.target.value / 100;
      event.target.nextSibling.textContent = event.target.value + " %";
      drawAll();
    },
  });
  return make("div", {class: "toolbar"},
    make("div", {class: "layers", role: "group", "aria-label": "Layer"}, ...buttons),
    make("div", {class: "tools"},
      make("label", {class: "opacity"}, "Opacity", slider, make("output", {}, Math.round(100 * state.opacity) + " %")),
      make("span", {class: "scale"}),
      make("span", {class: "zoom"},
        make("button", {type: "button", "aria-label": "Zoom out", onclick: () => zoom(-1)}, "−"),
        make("output", {}, "1×"),
        make("button", {type: "button", "aria-label": "Zoom in", onclick: () => zoom(1)}, "+"))));
}

function frame(pane) {
  pane.canvas = make("canvas", {width: pane.width, height: pane.height});
  pane.tip = make("div", {class: "tip", role: "status", hidden: true});
  pane.cross = make("i", {class: "cross", hidden: true});
  const clip = make("div", {class: "clip", style: `aspect-ratio: ${pane.width} / ${pane.height}`}, pane.canvas);
  pane.stage = make("div", {class: "stage", tabindex: 0, role: "img",
    "aria-label": `${pane.title}: arrow keys read the class and its probability at a point`},
    clip, pane.cross, pane.tip);
  pane.place = (p, other) => Math.floor(Math.floor(p / pane.width) / pane.height * other.height) * other.width +
    Math.floor((p % pane.width) / pane.width * other.width);
  follow(pane);
  return make("figure", {class: "pane"},
    make("figcaption", {}, make("b", {}, pane.title), make("span", {}, pane.note)), pane.stage, legend(pane));
}

// A frame may be dropped on the viewer as well: it goes the way of those that are dropped in their box.
const input = () => document.querySelector("#give-frame input[type=file]");

function take(event) {
  const files = event.dataTransfer?.files;
  element.querySelector(".viewer")?.classList.remove("over");
  if (!files || !files.length || !input()) return;
  event.preventDefault();
  const one = new DataTransfer();
  one.items.add(files[0]);
  input().files = one.files;
  input().dispatchEvent(new Event("change", {bubbles: true}));
}

element.addEventListener("drop", take);
element.addEventListener("dragover", event => {
  event.preventDefault();
  element.querySelector(".viewer")?.classList.add("over");
});
element.addEventListener("dragleave", () => element.querySelector(".viewer")?.classList.remove("over"));

async function build() {
  const mine = ++turn, value = props.value, root = element.querySelector(".viewer");
  if (!root) return;
  if (!value || !value.panes || !value.panes.length) {
    panes = [];
    root.classList.remove("two");
    root.replaceChildren(make("button", {type: "button", class: "empty", onclick: () => input()?.click()},
      make("p", {class: "big"},
        value?.frame ? value.frame + " got no answer." : "Drop a frame to see what the model makes of it."),
      make("p", {}, value?.frame ? "The reason stands above. Drop another frame here, or change the options."
        : "PNG, JPEG, BMP, TIFF or WebP, any size. With its truth mask beside it you also see how it scores. "
        + "Nothing leaves this machine.")));
    return;
  }
  const loaded = await Promise.all(value.panes.map(async pane => {
    const [base, maps, sure] = await Promise.all([pane.frame, pane.maps, pane.sureness].map(pixels));
    return {...pane, base, maps, sure};
  }));
  if (mine !== turn) return; // another answer came meanwhile
  if (value.frame !== root.dataset.frame) { state.zoom = 0; state.x = state.y = 0.5; }
  root.dataset.frame = value.frame;
  panes = loaded;
  if (!available(state.layer)) state.layer = "overlay";
  root.classList.toggle("two", panes.length > 1);
  root.replaceChildren(toolbar(), make("div", {class: "panes"}, ...panes.map(frame)));
  key();
  drawAll();
  place();
  root.dataset.turn = mine;
}

watch("value", build);
build();
