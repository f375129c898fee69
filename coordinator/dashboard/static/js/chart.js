// Numbers over time → a uPlot chart in the page's colours; what is not known is hatched, never 0.
import { colour, fainter, onThemeChange } from "./colours.js";

const remPx = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/**
 * Draw a chart into `element`.
 *
 * data: {
 *   starts: [unix seconds of each bin], step_s, zone (IANA), unit,
 *   series: [{label, values: [number|null], colour: "--accent", kind: "line"|"bars"|"steps",
 *             band: {low: [], high: [], middle: [], label, colour}}],
 *   gaps: [true where nothing is known] or true to take them from the first series,
 *   until: unix seconds up to which there can be numbers (gaps after it are not hatched)
 * }
 * told(text) is called with the numbers under the pointer. Returns {update(data), destroy()}.
 */
export function timeChart(element, data, { told = () => {}, height = 16 } = {}) {
  let plot = null;
  let shown = data;

  const draw = () => {
    plot?.destroy();
    element.replaceChildren();
    plot = new window.uPlot(options(element, shown, { told, height }), columns(shown), element);
  };
  const resized = new ResizeObserver(() => {
    const width = Math.floor(element.clientWidth);
    if (plot && width > 0 && width !== plot.width) plot.setSize({ width, height: height * remPx() });
  });
  draw();
  resized.observe(element);
  onThemeChange(draw);
  return {
    update(fresh) { shown = fresh; draw(); },
    destroy() { resized.disconnect(); plot?.destroy(); },
  };
}

/** uPlot's columns: x, then of each series its band's low, high and middle, then its values. */
function columns(data) {
  const found = [data.starts];
  for (const one of data.series) {
    if (one.band) found.push(one.band.high, one.band.low, one.band.middle);
    found.push(one.values);
  }
  return found;
}

function options(element, data, { told, height }) {
  const uPlot = window.uPlot;
  const ink = colour("--ink-3", element);
  const line = colour("--line", element);
  const font = `${Math.round(remPx() * 0.78)}px ${getComputedStyle(element).fontFamily}`;
  const { series, bands } = shapes(element, data);
  const axis = { stroke: ink, font, ticks: { stroke: line, width: 1 }, grid: { stroke: line, width: 1 } };
  return {
    width: Math.max(200, Math.floor(element.clientWidth)),
    height: height * remPx(),
    padding: [remPx() * 0.5, remPx() * 1.25, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), data.zone),
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => [data.starts[0], data.starts.at(-1) + data.step_s] },
      y: { range: (_u, _low, high) => [0, Math.max(5, (high ?? 0) * 1.08)] },
    },
    axes: [
      { ...axis, values: (_u, ticks) => ticks.map((at) => hour(at, data.zone)), space: remPx() * 4, grid: { show: false } },
      { ...axis, size: remPx() * 3.25, values: (_u, ticks) => ticks.map((value) => value.toLocaleString("en-GB").replaceAll(",", "\u202f")) },
    ],
    series: [{}, ...series],
    bands,
    hooks: {
      drawClear: [(plot) => hatchGaps(plot, data, element)],
      setCursor: [(plot) => told(sentence(data, plot.cursor.idx))],
    },
  };
}

function shapes(element, data) {
  const uPlot = window.uPlot;
  const series = [];
  const bands = [];
  for (const one of data.series) {
    if (one.band) {
      const edge = colour(one.band.colour ?? "--line-strong", element);
      const place = series.length + 1;
      bands.push({ series: [place, place + 1], fill: fainter(edge, 0.22) });
      series.push({ stroke: "transparent", width: 0, points: { show: false } });
      series.push({ stroke: "transparent", width: 0, points: { show: false } });
      series.push({ stroke: edge, width: 1.5, dash: [5, 4], points: { show: false }, spanGaps: false });
    }
    const stroke = colour(one.colour ?? "--accent", element);
    const paths = one.kind === "bars"
      ? uPlot.paths.bars({ size: [0.86, 60], align: 1 })
      : one.kind === "steps" ? uPlot.paths.stepped({ align: 1 }) : undefined;
    series.push({
      stroke, paths, width: one.kind === "bars" ? 0 : 2.25, spanGaps: false,
      fill: one.kind === "bars" ? fainter(stroke, 0.85) : undefined,
      points: { show: one.kind === "line", size: 4, fill: stroke },
    });
  }
  return { series, bands };
}

/** Diagonal lines over the bins without a number, from the top to the axis. */
function hatchGaps(plot, data, element) {
  const gaps = data.gaps === true ? data.series[0].values.map((value) => value === null) : data.gaps ?? [];
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const ratio = window.devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = colour("--line-strong", element);
  ctx.lineWidth = ratio;
  for (const [from, to] of runs(data, gaps)) {
    const x0 = Math.max(left, plot.valToPos(from, "x", true));
    const x1 = Math.min(left + width, plot.valToPos(to, "x", true));
    if (x1 <= x0) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(x0, top, x1 - x0, height);
    ctx.fillStyle = fainter(colour("--line-strong", element), 0.1);
    ctx.fill();
    ctx.clip();
    ctx.beginPath();
    for (let x = x0 - height; x < x1; x += 7 * ratio) {
      ctx.moveTo(x, top + height);
      ctx.lineTo(x + height, top);
    }
    ctx.globalAlpha = 0.55;
    ctx.stroke();
    ctx.restore();
  }
  ctx.restore();
}

/** Neighbouring bins without a number as [from, to]; what lies ahead of `until` is no gap. */
function runs(data, gaps) {
  const found = [];
  gaps.forEach((isGap, n) => {
    const from = data.starts[n];
    const to = Math.min(from + data.step_s, data.until ?? Infinity);
    if (!isGap || to <= from) return;
    const last = found.at(-1);
    if (last && last[1] >= from) last[1] = to;
    else found.push([from, to]);
  });
  return found;
}

function sentence(data, n) {
  if (n === null || n === undefined) return "";
  const from = data.starts[n];
  const parts = data.series.map((one) => {
    const value = one.values[n];
    const told = value === null ? (from >= (data.until ?? Infinity) ? "not yet" : "not known") : `${round(value)}${data.unit ? ` ${data.unit}` : ""}`;
    const usual = one.band?.middle[n];
    return `${one.label}: ${told}${usual === null || usual === undefined ? "" : ` (usual ${round(usual)})`}`;
  });
  return `${hour(from, data.zone)}–${hour(from + data.step_s, data.zone)} · ${parts.join(" · ")}`;
}

function round(value) {
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString("en-GB").replaceAll(",", "\u202f") : value.toFixed(1);
}

function hour(seconds, zone) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
}
