// A run that goes on → the page kept up to date by its events, and its curves by round.
import { colour, onThemeChange } from "./colours.js";
import { showLiveState } from "./live.js";
import { askJson } from "./requests.js";

const COLOURS = ["--user-car", "--user-person", "--user-bicycle", "--user-motorcycle", "--user-bus", "--user-truck"];
const SOON_MS = 400;
const HIGH_REM = 12;

const progress = () => document.getElementById("progress");
const curvesAt = document.querySelector("[data-curves]");
const plots = new Map();
let curves = null;

/** One chart: rounds to the right, a line for each set or box. */
function draw(place) {
  plots.get(place)?.destroy();
  plots.delete(place);
  const lines = curves[place.dataset.curve].filter((line) => line.values.some((value) => value !== null));
  place.replaceChildren();
  if (!lines.length) {
    const none = document.createElement("p");
    none.className = "curve__none hatched";
    none.textContent = "Nothing was measured yet";
    place.append(none);
    return;
  }
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const ink = colour("--ink-3");
  const grid = { stroke: colour("--line"), width: 1 };
  const font = `${Math.round(rem * 0.78)}px ${getComputedStyle(document.body).fontFamily}`;
  const strokes = lines.map((_, at) => colour(COLOURS[at % COLOURS.length]));
  const axis = { stroke: ink, font, grid, ticks: grid };
  const rounds = curves.rounds;
  plots.set(place, new window.uPlot({
    width: Math.max(200, place.clientWidth),
    height: HIGH_REM * rem,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: () => [rounds[0] - 0.5, rounds.at(-1) + 0.5] } },
    axes: [
      { ...axis, splits: () => rounds.filter((_, at) => at % Math.ceil(rounds.length / 10) === 0), values: (_u, ticks) => ticks.map((tick) => `${tick}`) },
      { ...axis, size: rem * 4, values: (_u, ticks) => ticks.map((tick) => tick.toLocaleString("en-GB", { notation: "compact", maximumSignificantDigits: 3 })) },
    ],
    series: [{}, ...lines.map((line, at) => ({
      label: line.label, stroke: strokes[at], width: 2.25, dash: at >= COLOURS.length ? [6, 4] : undefined,
      points: { show: true, size: 7, fill: strokes[at] },
    }))],
  }, [rounds, ...lines.map((line) => line.values)], place));
  place.append(keys(lines, strokes));
}

function keys(lines, strokes) {
  const list = document.createElement("ul");
  list.className = "curve__keys";
  lines.forEach((line, at) => {
    const key = document.createElement("li");
    key.className = "curve__key";
    const swatch = document.createElement("span");
    swatch.className = "curve__swatch";
    swatch.style.borderColor = strokes[at];
    if (at >= COLOURS.length) swatch.style.borderTopStyle = "dashed";
    const known = line.values.filter((value) => value !== null);
    const last = known.at(-1).toLocaleString("en-GB", { maximumSignificantDigits: 4 });
    key.append(swatch, `${line.label}: ${last}`);
    list.append(key);
  });
  return list;
}

function drawAll() {
  if (!curves) return;
  for (const place of document.querySelectorAll("[data-curve]")) draw(place);
}

async function fetchCurves() {
  if (!curvesAt) return;
  try {
    curves = await askJson(curvesAt.dataset.curves);
    drawAll();
  } catch { /* the next event asks again; the tables hold the same numbers */ }
}

let waiting = null;

/** Several events at once are one look. */
function refresh() {
  if (waiting !== null) return;
  waiting = setTimeout(async () => {
    waiting = null;
    await window.htmx.ajax("GET", location.pathname, { target: "#progress", swap: "outerHTML" });
    await fetchCurves();
  }, SOON_MS);
}

function follow() {
  const badge = document.getElementById("live");
  if (!progress() || progress().dataset.ended === "yes") return;
  badge.hidden = false;
  const seen = Number(progress().dataset.lastEvent);
  const source = new EventSource(`/api/v1/rounds/${encodeURIComponent(progress().dataset.run)}/events`);
  const heard = (event) => {
    if (Number(event.lastEventId) <= seen) return;
    refresh();
    if (event.type !== "state") return;
    if (["candidate", "rejected", "failed"].includes(JSON.parse(event.data).detail.state)) {
      source.close();
      badge.hidden = true;
    }
  };
  for (const kind of ["state", "client", "round_started", "round_finished", "run_started", "run_resumed", "evaluated", "candidate", "rejected", "failed"]) {
    source.addEventListener(kind, heard);
  }
  source.addEventListener("open", () => showLiveState(badge, "live"));
  source.addEventListener("error", () => {
    showLiveState(badge, source.readyState === EventSource.CLOSED ? "lost" : "connecting");
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}

addEventListener("resize", () => { clearTimeout(drawAll.later); drawAll.later = setTimeout(drawAll, 200); });
onThemeChange(drawAll);
addEventListener("load", fetchCurves, { once: true });
follow();
