// A model → SVG elements; nothing here listens.
import { middleOf, rightOf } from "./model.js";

const NS = "http://www.w3.org/2000/svg";
const MOVEMENTS = { thru: "straight on", left: "left turn", right: "right turn", u_turn: "U-turn" };

export function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

const path = (points, isClosed) => `M${points.map(([x, y]) => `${x} ${y}`).join("L")}${isClosed ? "Z" : ""}`;

export function gridOf({ width, height }, unit) {
  const lines = [];
  const step = width / 12;
  for (let x = step; x < width - 1; x += step) lines.push(`M${x} 0V${height}`);
  for (let y = step; y < height - 1; y += step) lines.push(`M0 ${y}H${width}`);
  const text = make("text", { class: "drawing__size", x: width / 2, y: height - 12 * unit, "font-size": 13 * unit, "text-anchor": "middle" }, `${width} × ${height} px`);
  return [
    make("rect", { class: "drawing__ground", width, height }),
    make("path", { class: "drawing__grid", d: lines.join("") }), text,
  ];
}

/** Both ways over a line: R to the right of who walks from its first point to its second, L to the left. */
function arrowsOf(points, unit) {
  const [mx, my] = middleOf(points);
  const [nx, ny] = rightOf(points);
  return [["right", "R", 1], ["left", "L", -1]].map(([name, letter, sign]) => {
    const at = (far, side = 0) => [mx + sign * nx * far * unit - ny * side * unit, my + sign * ny * far * unit + nx * side * unit];
    const tip = at(34);
    const d = `${path([at(6), tip])}${path([at(26, -6), tip, at(26, 6)])}`;
    const [lx, ly] = at(46);
    return make("g", { class: `arrow arrow--${name}`, "aria-hidden": "true" },
      make("path", { d }),
      make("text", { x: lx, y: ly + 5 * unit, "font-size": 14 * unit, "text-anchor": "middle" }, letter));
  });
}

function nameOf(section, unit) {
  const [mx, my] = middleOf(section.points_px);
  // Beside the beginning of a line, so that its arrows stay free.
  const [x, y] = section.is_area ? [mx, my] : section.points_px[0];
  return make("text", { class: "name", x: x + (section.is_area ? 0 : 10 * unit), y: y - (section.is_area ? 0 : 12 * unit), "font-size": 14 * unit, "text-anchor": section.is_area ? "middle" : "start", "aria-hidden": "true" }, section.name);
}

export function sectionOf(section, index, { unit, isChosen, isWrong }) {
  const d = path(section.points_px, section.is_area);
  const kind = section.is_area ? "Area" : "Line";
  const key = `section ${index}`;
  const body = make("path", {
    class: "hit", d, tabindex: 0, role: "button", "data-key": key, "aria-pressed": isChosen,
    "aria-label": `${kind} ${section.name}${isWrong ? ", has a mistake" : ""}. Arrow keys move it, Delete deletes it.`,
  });
  const classes = ["section", section.is_area ? "section--area" : "section--line"];
  if (isChosen) classes.push("section--chosen");
  if (isWrong) classes.push("section--wrong");
  return make("g", { class: classes.join(" ") },
    make("path", { class: "shape__edge", d }), make("path", { class: "shape", d }), body,
    ...(section.is_area ? [] : arrowsOf(section.points_px, unit)), nameOf(section, unit));
}

export function handlesOf(section, index, unit) {
  const points = section.points_px;
  const places = points.map(([x, y], corner) => {
    const what = section.is_area ? `Corner ${corner + 1} of ${points.length}` : `${corner === 0 ? "Beginning" : "End"}`;
    return make("g", { class: "handle", tabindex: 0, role: "button", "data-key": `point ${index} ${corner}`,
      "aria-label": `${what} of ${section.name}, at ${x}, ${y}. Arrow keys move it${section.is_area ? ", Delete removes it" : ""}.` },
      make("circle", { class: "handle__hit", cx: x, cy: y, r: 22 * unit }),
      make("circle", { class: "handle__dot", cx: x, cy: y, r: 7 * unit }));
  });
  if (!section.is_area) return places;
  const between = points.map((point, corner) => {
    const [x, y] = middleOf([point, points[(corner + 1) % points.length]]);
    return make("g", { class: "handle handle--new", tabindex: 0, role: "button", "data-key": `new ${index} ${corner}`,
      "aria-label": `Add a corner after corner ${corner + 1} of ${section.name}` },
      make("circle", { class: "handle__hit", cx: x, cy: y, r: 16 * unit }),
      make("circle", { class: "handle__dot", cx: x, cy: y, r: 5 * unit }));
  });
  return [...between, ...places];
}

export function flowOf(flow, index, sections, { unit, isChosen }) {
  const ends = [flow.start, flow.end].map((name) => sections.find((each) => each.name === name));
  if (ends.includes(undefined)) return null;
  const [[x1, y1], [x2, y2]] = ends.map((each) => middleOf(each.points_px));
  const length = Math.hypot(x2 - x1, y2 - y1);
  // Bent to its own left, so that a flow and the one back do not lie on each other.
  const bend = Math.max(length * 0.18, length < 1 ? 60 * unit : 0);
  const [bx, by] = [(x1 + x2) / 2 + ((y2 - y1) / (length || 1)) * bend, (y1 + y2) / 2 - ((x2 - x1) / (length || 1)) * bend];
  const [ax, ay] = [x2 - bx, y2 - by];
  const far = Math.hypot(ax, ay) || 1;
  const [ux, uy] = [(ax / far) * unit, (ay / far) * unit];
  const head = `M${x2 - 12 * ux - 6 * uy} ${y2 - 12 * uy + 6 * ux}L${x2} ${y2}L${x2 - 12 * ux + 6 * uy} ${y2 - 12 * uy - 6 * ux}`;
  const [tx, ty] = [(x1 + 2 * bx + x2) / 4, (y1 + 2 * by + y2) / 4];
  const d = `M${x1} ${y1}Q${bx} ${by} ${x2} ${y2}`;
  return make("g", { class: isChosen ? "route route--chosen" : "route" },
    make("path", { class: "flow__edge", d }), make("path", { class: "flow", d }), make("path", { class: "flow__head", d: head }),
    make("text", { class: "name name--flow", x: tx, y: ty - 6 * unit, "font-size": 12 * unit, "text-anchor": "middle", "aria-hidden": "true" }, `${flow.name}: ${MOVEMENTS[flow.movement] ?? flow.movement}`));
}

export function draftOf(draft, unit) {
  if (!draft) return [];
  const points = draft.cursor ? [...draft.points, draft.cursor] : draft.points;
  const dots = draft.points.map(([x, y], i) => make("circle", { class: i === 0 ? "draft__dot draft__dot--first" : "draft__dot", cx: x, cy: y, r: (i === 0 ? 9 : 6) * unit }));
  return [make("path", { class: "draft", d: path(points, false) }), ...dots];
}
