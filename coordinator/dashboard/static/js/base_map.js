// Natural Earth outlines → a Leaflet map without a tile server: land, borders, a grid with names.
import { colour, onThemeChange } from "./colours.js";

const STEPS = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
const MOST_LINES = 12;

/** Make a map in `element`; `data-atlas` names the TopoJSON of countries. */
export async function makeMap(element) {
  const L = window.L;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = L.map(element, {
    attributionControl: false, worldCopyJump: true, minZoom: 2, maxZoom: 18, zoomSnap: 0.5,
    zoomAnimation: !still, fadeAnimation: !still, markerZoomAnimation: !still,
  }).setView([30, 10], 2);
  map.zoomControl.setPosition("topright");
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  const outlines = L.canvas({ padding: 0.3 });
  const land = L.geoJSON(null, { renderer: outlines, interactive: false }).addTo(map);
  const grid = L.layerGroup().addTo(map);
  const paint = () => {
    land.setStyle({
      fillColor: colour("--map-land", element), fillOpacity: 1,
      color: colour("--map-border", element), weight: 1,
    });
    drawGrid(map, grid, { renderer: outlines, colour: colour("--map-grid", element) });
  };
  map.on("moveend zoomend", () => drawGrid(map, grid, {
    renderer: outlines, colour: colour("--map-grid", element),
  }));
  onThemeChange(paint);
  paint();
  loadOutlines(element.dataset.atlas, land).then(paint);
  return map;
}

async function loadOutlines(address, land) {
  const answer = await fetch(address);
  if (!answer.ok) return; // the sites are shown all the same
  const atlas = await answer.json();
  land.addData(window.topojson.feature(atlas, atlas.objects.countries));
}

/** Lines of latitude and longitude at a round distance, so that a street corner has a place. */
function drawGrid(map, grid, { renderer, colour: lineColour }) {
  const L = window.L;
  grid.clearLayers();
  const bounds = map.getBounds().pad(0.1);
  const spanned = Math.max(bounds.getEast() - bounds.getWest(), 1e-6);
  const step = STEPS.findLast((one) => spanned / one <= MOST_LINES) ?? 30;
  const style = { renderer, color: lineColour, weight: 1, interactive: false };
  const [south, north] = [Math.max(-85, bounds.getSouth()), Math.min(85, bounds.getNorth())];
  for (let x = Math.ceil(bounds.getWest() / step) * step; x < bounds.getEast(); x += step) {
    L.polyline([[south, x], [north, x]], style).addTo(grid);
  }
  for (let y = Math.ceil(south / step) * step; y < north; y += step) {
    L.polyline([[y, bounds.getWest()], [y, bounds.getEast()]], style).addTo(grid);
  }
}
