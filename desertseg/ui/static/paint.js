// What the viewer knows, and how a layer is painted from the pictures that it is given; viewer.js follows it.
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
    const other = panes.find(o => o !== pane), unlike = [UNANSWERED, marked];
    const [mine, its] = [pane, other].map(one => one.classes.map(c => c.name));
    const strong = colors.map(color => [color, marked]);
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
