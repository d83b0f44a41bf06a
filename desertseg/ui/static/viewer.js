// The viewer: draws a frame's layers on canvases, so that opacity, classes and layers change without the server.
// Gradio runs this once, with `element`, `props`, `watch` and `trigger`; the value is what `viewer.describe` returns.
const LAYERS = [
  ["frame", "Frame"], ["overlay", "Overlay"], ["truth", "Truth"], ["errors", "Errors"],
  ["confidence", "Confidence"], ["entropy", "Entropy"], ["cost", "Cost"], ["changes", "Differences"],
];
const NONE = 255, BORDER = 0.45;
const WRONG = [230, 30, 30], UNANSWERED = [250, 200, 40];
const SURE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const DOUBT = [[10, 8, 36], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const COSTS = [[38, 140, 70], [250, 220, 90], [190, 30, 30]];
const ZOOMS = [1, 2, 4, 8];
const state = {layer: "overlay", opacity: 0.55, hidden: new Set(), zoom: 0, x: 0.5, y: 0.5};
let panes = [], turn = 0;

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null) key === "hidden" ? node.hidden = value : node.setAttribute(key, String(value));
  }
  node.append(...children);
  return node;
};
const rgb = color => "rgb(" + color.join(", ") + ")";
const ramp = (stops, share) => {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((v, i) => v + (stops[low + 1][i] - v) * (at - low));
};
const gradient = stops => "linear-gradient(to right, " + stops.map(rgb).join(", ") + ")";
const percent = share => share === 0 ? "0 %"
  : (share < 0.0005 ? "< 0.1" : (100 * share).toFixed(share < 0.0995 ? 1 : 0)) + " %";

async function pixels(uri) {
  const blob = await (await fetch(uri)).blob();
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const canvas = make("canvas", {width: bitmap.width, height: bitmap.height});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

function available(layer) {
  if (layer === "truth" || layer === "errors") return panes.some(pane => pane.truth);
  if (layer === "confidence" || layer === "entropy") return panes.some(pane => pane.knows);
  if (layer === "cost") return panes.some(pane => pane.classes.some(c => c.cost !== null));
  if (layer === "changes") return panes.length > 1;
  return true;
}

// Each painter returns, for a pixel, a colour and how much of it, 0 to 1, lies over the frame; null leaves the frame.
function painter(pane, layer) {
  const shown = pane.classes.map(c => !state.hidden.has(c.name)), colors = pane.classes.map(c => c.color);
  const {maps, sure, width} = pane, a = state.opacity, marked = 0.25 + 0.75 * a;
  const visible = c => (c === NONE ? !state.hidden.has("unknown") : shown[c]);
  const flat = colors.map((color, c) => shown[c] ? [color, a] : null);
  if (layer === "overlay" || layer === "truth") {
    const channel = layer === "truth" ? 1 : 0, edges = colors.map(color => [color.map(v => v * BORDER), a]);
    return p => {
      const i = 4 * p + channel, c = maps[i];
      if (c === NONE || !shown[c]) return null;
      return (p % width && maps[i - 4] !== c) || (p >= width && maps[i - 4 * width] !== c) ? edges[c] : flat[c];
    };
  }
  if (layer === "errors") {
    const ignored = [[0, 0, 0], 1], wrong = [WRONG, marked], silent = [UNANSWERED, marked];
    return p => {
      const c = maps[4 * p], t = maps[4 * p + 1];
      if (t === NONE) return ignored;
      return c === t || !(visible(c) || shown[t]) ? null : c === NONE ? silent : wrong;
    };
  }
  if (layer === "confidence" || layer === "entropy") {
    const channel = layer === "entropy" ? 1 : 0, stops = channel ? DOUBT : SURE;
    const levels = Array.from({length: 256}, (_, i) => [ramp(stops, i / 255), a]);
    return p => visible(maps[4 * p]) ? levels[sure[4 * p + channel]] : null;
  }
  if (layer === "cost") {
    const costs = pane.classes.map((c, i) => c.cost === null || !shown[i] ? null : [ramp(COSTS, c.cost / 100), a]);
    return p => maps[4 * p] === NONE ? null : costs[maps[4 * p]];
  }
  if (layer === "changes") {
    const other = panes.find(o => o !== pane), of = pane => [...pane.classes.map(c => c.name)], unlike = [UNANSWERED, marked];
    const mine = of(pane), its = of(other), strong = colors.map(color => [color, marked]);
    return p => {
      const c = maps[4 * p], o = other.maps[4 * pane.place(p, other)];
      if ((c === NONE ? "" : mine[c]) === (o === NONE ? "" : its[o]) || !visible(c)) return null;
      return c === NONE ? unlike : strong[c];
    };
  }
  return () => null;
}

function draw(pane) {
  const context = pane.canvas.getContext("2d"), {base, width, height} = pane;
  const picture = context.createImageData(width, height), out = picture.data;
  const lacks = !pane.truth && ["truth", "errors"].includes(state.layer)
    || !pane.knows && ["confidence", "entropy"].includes(state.layer);
  const layer = available(state.layer) && !lacks ? state.layer : "frame";
  const paint = painter(pane, layer), pale = layer === "errors" || layer === "changes";
  for (let p = 0, i = 0; p < width * height; p++, i += 4) {
    let r = base[i], g = base[i + 1], b = base[i + 2];
    if (pale) r = g = b = 0.5 * (0.3 * r + 0.59 * g + 0.11 * b) + 90;
    const over = paint(p);
    if (over) {
      const [color, a] = over;
      r += (color[0] - r) * a; g += (color[1] - g) * a; b += (color[2] - b) * a;
    }
    out[i] = r; out[i + 1] = g; out[i + 2] = b; out[i + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
  pane.canvas.dataset.drawn = layer;
}

const drawAll = () => panes.forEach(draw);

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
  const swatch = index => make("i", {class: "swatch", style: "background:" + (index === NONE ? "#000" : rgb(pane.classes[index].color))});
  lines.push(make("span", {class: "line main"}, swatch(c),
    c === NONE ? "unknown, perhaps " + name(guess) : name(c), pane.knows ? make("b", {}, percent(sure)) : ""));
  if (pane.truth) lines.push(make("span", {class: "line"}, t === NONE ? "" : swatch(t),
    "truth: " + (t === NONE ? "ignored" : name(t)), t !== NONE && t !== c ? make("em", {}, "wrong") : ""));
  if (state.layer === "entropy" && pane.knows) lines.push(make("span", {class: "line"}, "entropy " + (pane.sure[4 * p + 1] / 255).toFixed(2)));
  if (state.layer === "cost" && c !== NONE) lines.push(make("span", {class: "line"},
    pane.classes[c].cost === null ? "no cost" : "cost " + pane.classes[c].cost + " of 100"));
  return lines;
}

function probe(u, v) {
  for (const pane of panes) {
    pane.tip.replaceChildren(...describe(pane, pixelAt(pane, u, v)));
    pane.tip.hidden = pane.cross.hidden = false;
    pane.cross.style.left = 100 * u + "%"; pane.cross.style.top = 100 * v + "%";
    pane.tip.style.left = u < 0.6 ? `calc(${100 * u}% + 14px)` : ""; pane.tip.style.right = u < 0.6 ? "" : `calc(${100 * (1 - u)}% + 14px)`;
    pane.tip.style.top = v < 0.6 ? `calc(${100 * v}% + 10px)` : ""; pane.tip.style.bottom = v < 0.6 ? "" : `calc(${100 * (1 - v)}% + 10px)`;
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
  const scales = {confidence: [SURE, "unsure", "sure"], entropy: [DOUBT, "one class", "no idea"], cost: [COSTS, "free", "obstacle"]};
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
    make("button", {type: "button", "data-layer": layer, "aria-pressed": layer === state.layer, onclick: () => choose(layer)}, title));
  const slider = make("input", {type: "range", min: 0, max: 100, value: Math.round(100 * state.opacity), "aria-label": "Opacity",
    oninput: event => { state.opacity = event.target.value / 100; event.target.nextSibling.textContent = event.target.value + " %"; drawAll(); }});
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
    "aria-label": `${pane.title}: arrow keys read the class and its probability at a point`}, clip, pane.cross, pane.tip);
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
      make("p", {class: "big"}, value?.frame ? value.frame + " got no answer." : "Drop a frame to see what the model makes of it."),
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
