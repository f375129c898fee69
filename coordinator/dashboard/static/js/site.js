// One day of a site → its charts, drawn anew when a quarter hour is complete or a class is chosen.
import { timeChart } from "./chart.js";
import { followBins, showLiveState } from "./live.js";
import { announce } from "./notices.js";
import { askJson } from "./requests.js";

const REFRESH_MS = 20_000;

const counts = document.querySelector('[data-chart="counts"]');
const speeds = document.querySelector('[data-chart="speeds"]');
const live = document.querySelector("#live .badge");
const charts = {};
let day = null;
let chosen = "vehicles";

function tellInto(name) {
  const told = document.querySelector(`[data-told="${name}"]`);
  return (text) => { told.textContent = text; };
}

function countData() {
  const one = day.classes.find((each) => each.name === chosen);
  return {
    starts: day.starts, step_s: day.step_s, zone: day.zone, until: day.until, gaps: true,
    series: [{
      label: chosen === "vehicles" ? "Vehicles" : words(chosen), values: one.counts, kind: "bars",
      colour: chosen === "vehicles" ? "--accent" : `--user-${chosen}`,
      band: { low: one.usual_low, high: one.usual_high, middle: one.usual, colour: "--none" },
    }],
  };
}

function speedData() {
  return {
    starts: day.starts, step_s: day.step_s, zone: day.zone, until: day.until, unit: "km/h",
    gaps: day.classes[0].counts.map((value) => value === null),
    series: [
      { label: "Mean", values: day.speeds_mean, kind: "line", colour: "--accent" },
      { label: "V85", values: day.speeds_v85, kind: "line", colour: "--watch" },
    ],
  };
}

function words(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function draw() {
  show("counts", counts, countData(), 18);
  if (speeds) show("speeds", speeds, speedData(), 13);
}

function show(name, element, data, height) {
  if (charts[name]) charts[name].update(data);
  else charts[name] = timeChart(element, data, { told: tellInto(name), height });
}

async function load() {
  try {
    day = await askJson(counts.dataset.source);
    draw();
  } catch (error) {
    if (!day) counts.textContent = "The chart cannot be drawn; the table below has the numbers.";
    announce(error.message, "bad");
  }
}

let waiting = null;
function refreshSoon() {
  waiting ??= setTimeout(() => {
    waiting = null;
    if (document.hidden) return;
    window.htmx.trigger(document.body, "its:refresh");
    load();
  }, REFRESH_MS);
}

document.querySelector("[data-classes]")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-class]");
  if (!button || !day) return;
  chosen = button.dataset.class;
  for (const each of button.parentElement.children) {
    each.setAttribute("aria-pressed", String(each === button));
  }
  draw();
});

/** Pointing at a row of the movements shows the ribbons of its leg. */
document.addEventListener("pointerover", (event) => {
  const leg = event.target.closest?.("tr[data-leg]")?.dataset.leg;
  for (const ribbon of document.querySelectorAll(".turns__ribbon")) {
    ribbon.classList.toggle("is-pointed", leg !== undefined && ribbon.dataset.leg === leg);
  }
});

if (counts) load();
if (live && counts) {
  followBins({
    site: counts.dataset.site, onBin: refreshSoon, onState: (state) => showLiveState(live, state),
  });
}
