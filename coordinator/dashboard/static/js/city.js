// The list of sites → pins on the map; new bins → the list asked for again.
import { makeMap } from "./base_map.js";
import { followBins, showLiveState } from "./live.js";

const REFRESH_MS = 15_000;
const PIN_PX = 1.125 * parseFloat(getComputedStyle(document.documentElement).fontSize);

const element = document.getElementById("map");
const live = document.querySelector("#live .badge");

/** What the table rows say, so that map and list always show the same. */
function placedRows() {
  return [...document.querySelectorAll("tr[data-latitude]")];
}

function placePins(map, layer) {
  const L = window.L;
  layer.clearLayers();
  for (const row of placedRows()) {
    const { latitude, longitude, name, words, tone, site } = row.dataset;
    const icon = L.divIcon({ className: `pin tone-${tone}`, iconSize: [PIN_PX, PIN_PX] });
    // The list is the way for keyboards: two hundred pins would be two hundred stops.
    const pin = L.marker([Number(latitude), Number(longitude)], { icon, keyboard: false });
    const told = document.createElement("span");
    told.textContent = `${name}: ${words}`;
    pin.bindTooltip(told, { direction: "top", offset: [0, -PIN_PX / 2] });
    pin.on("click", () => location.assign(`/sites/${encodeURIComponent(site)}`));
    pin.on("mouseover", () => row.classList.add("is-pointed"));
    pin.on("mouseout", () => row.classList.remove("is-pointed"));
    pin.addTo(layer);
    row.addEventListener("mouseenter", () => pin.getElement()?.classList.add("is-pointed"));
    row.addEventListener("mouseleave", () => pin.getElement()?.classList.remove("is-pointed"));
  }
}

function showAll(map) {
  const places = placedRows().map((row) => [Number(row.dataset.latitude), Number(row.dataset.longitude)]);
  if (places.length) map.fitBounds(places, { padding: [40, 40], maxZoom: 14, animate: false });
}

if (element) {
  const map = await makeMap(element);
  const pins = window.L.layerGroup().addTo(map);
  placePins(map, pins);
  showAll(map);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "city" && event.target.id !== "city") return;
    placePins(map, pins);
    // A search moves the map; a refresh does not.
    if (event.detail.requestConfig?.elt?.id === "city-filter") showAll(map);
  });
}

let waiting = null;
function refreshSoon() {
  waiting ??= setTimeout(() => {
    waiting = null;
    if (!document.hidden) window.htmx.trigger(document.body, "its:refresh");
  }, REFRESH_MS);
}

if (live) followBins({ onBin: refreshSoon, onState: (state) => showLiveState(live, state) });
