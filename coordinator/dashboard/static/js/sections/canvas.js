// Pointer and keys on the drawing → changes of the model; the model → the drawing.
import { announce } from "../notices.js";
import { draftOf, flowOf, gridOf, handlesOf, make, sectionOf } from "./shapes.js";

const MOVED_PX = 8; // of the screen: less is a tap
const CLOSE_PX = 24;
const HINTS = {
  move: "Choose a line to move it, or a tool to draw.",
  line: "Press where the line begins and drag to its end, or tap both.",
  area: "Tap the corners one after the other; tap the first one again to close the area.",
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Canvas {
  #svg;
  #model;
  #parts;
  #draft = null;
  #drag = null;
  #picture = "";

  constructor(svg, model, parts) {
    this.#svg = svg;
    this.#model = model;
    this.#parts = parts; // hint, draft, finish
    this.tool = "move";
    model.onChange(() => this.draw());
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    svg.addEventListener("pointerup", (event) => this.#up(event));
    svg.addEventListener("pointercancel", () => { this.#drag = null; model.endStep(); });
    svg.addEventListener("keydown", (event) => this.#key(event));
    svg.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  /** Pixels of the picture in one pixel of the screen. */
  get unit() { return this.#model.size.width / (this.#svg.clientWidth || this.#model.size.width); }

  show(picture) {
    this.#picture = picture;
    this.draw();
  }

  use(tool) {
    this.tool = tool;
    this.#draft = null;
    this.#svg.classList.toggle("drawing--drawing", tool !== "move");
    if (tool !== "move") this.#model.choose(null);
    this.draw();
  }

  putInTheMiddle() {
    const { width, height } = this.#model.size;
    const [l, r, t, b] = [width * 0.35, width * 0.65, height * 0.35, height * 0.65];
    const isArea = this.tool === "area";
    this.#add(isArea, isArea ? [[l, t], [r, t], [r, b], [l, b]] : [[l, height / 2], [r, height / 2]]);
    this.#svg.querySelector('[data-key^="point"]')?.focus();
  }

  finish() {
    if (this.#draft?.points.length >= 3) this.#add(true, this.#draft.points);
  }

  cancel() { this.#parts.onTool("move"); }

  draw() {
    const { model, unit } = { model: this.#model, unit: this.unit };
    const focused = this.#svg.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const { width, height } = model.size;
    const ground = this.#picture
      ? [make("rect", { class: "drawing__ground", width, height }), make("image", { href: this.#picture, width, height, preserveAspectRatio: "none" })]
      : gridOf(model.size, unit);
    const chosen = model.chosen;
    const isOf = (kind, index) => chosen?.kind === kind && chosen.index === index;
    const wrong = new Set(model.mistakes.map((each) => each.where));
    const drawn = model.sections.map((section, index) => sectionOf(section, index, { unit, isChosen: isOf("section", index), isWrong: wrong.has(`sections.${index}`) }));
    const flows = model.flows.map((flow, index) => flowOf(flow, index, model.sections, { unit, isChosen: isOf("flow", index) }));
    const handles = model.chosenSection ? handlesOf(model.chosenSection, chosen.index, unit) : [];
    this.#svg.replaceChildren(...ground, ...flows.filter(Boolean),
      ...drawn.filter((_, i) => model.sections[i].is_area), ...drawn.filter((_, i) => !model.sections[i].is_area),
      ...handles, ...draftOf(this.#draft, unit));
    if (focused) this.#svg.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
    this.#tellTool();
  }

  #tellTool() {
    const points = this.#draft?.points.length ?? 0;
    this.#parts.hint.textContent = this.tool === "line" && points === 1 ? "Now tap where the line ends." : HINTS[this.tool];
    this.#parts.draft.hidden = this.tool === "move";
    this.#parts.finish.hidden = !(this.tool === "area" && points >= 3);
  }

  #at(event) {
    const box = this.#svg.getBoundingClientRect();
    const { width, height } = this.#model.size;
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  #far([x1, y1], [x2, y2]) { return Math.hypot(x2 - x1, y2 - y1) / this.unit; }

  #down(event) {
    if (event.button !== 0) return;
    const at = this.#at(event);
    if (this.tool !== "move") {
      event.preventDefault();
      this.#svg.setPointerCapture(event.pointerId);
      this.#drawAt(at);
      return;
    }
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (!key) {
      this.#model.choose(null);
      return;
    }
    event.preventDefault();
    this.#svg.setPointerCapture(event.pointerId);
    this.#grab(key, at);
  }

  #grab(key, at) {
    const [kind, index, corner] = key.split(" ").map((part, i) => (i === 0 ? part : Number(part)));
    this.#model.endStep();
    if (kind === "new") this.#model.insertPoint(index, corner, at);
    const moved = kind === "new" ? corner + 1 : corner;
    this.#drag = { kind, index, corner: moved, began: at, from: structuredClone(this.#model.sections[index].points_px) };
    if (kind === "section") this.#model.choose({ kind: "section", index });
    const focus = kind === "new" ? `point ${index} ${moved}` : key;
    this.#svg.querySelector(`[data-key="${focus}"]`)?.focus({ preventScroll: true });
  }

  #move(event) {
    const at = this.#at(event);
    if (this.#draft) {
      this.#draft.cursor = at;
      this.draw();
      return;
    }
    const drag = this.#drag;
    if (!drag || (!drag.isMoving && this.#far(drag.began, at) < MOVED_PX / 2)) return;
    drag.isMoving = true;
    const by = [at[0] - drag.began[0], at[1] - drag.began[1]];
    if (drag.kind === "section") this.#model.shift(drag.index, drag.from, by, "drag");
    else {
      const [x, y] = drag.from[drag.corner];
      this.#model.movePoint(drag.index, drag.corner, [x + by[0], y + by[1]]);
    }
  }

  #up(event) {
    if (this.#drag) {
      this.#drag = null;
      this.#model.endStep();
    }
    const draft = this.#draft;
    if (draft && this.tool === "line" && draft.isPressed) {
      draft.isPressed = false;
      const at = this.#at(event);
      if (this.#far(draft.points[0], at) >= MOVED_PX) this.#add(false, [draft.points[0], at]);
    }
  }

  #drawAt(at) {
    if (!this.#draft) {
      this.#draft = { points: [at], cursor: null, isPressed: true };
    } else if (this.tool === "line") {
      if (this.#far(this.#draft.points[0], at) >= MOVED_PX) return this.#add(false, [this.#draft.points[0], at]);
    } else if (this.#draft.points.length >= 3 && this.#far(this.#draft.points[0], at) < CLOSE_PX) {
      return this.finish();
    } else if (this.#draft.points.length < 64) {
      this.#draft.points.push(at);
    }
    this.draw();
  }

  #add(isArea, points) {
    this.#draft = null;
    const isAdded = this.#model.add(isArea, points);
    if (!isAdded) announce("A camera has room for 64 lines and areas.", "watch");
    this.#parts.onTool("move");
  }

  // Screen readers press what is focused without keys or pointers.
  #click(event) {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (event.detail === 0 && key) this.#press(key);
  }

  #press(key) {
    const [kind, index, corner] = key.split(" ");
    if (kind === "section") this.#model.choose({ kind: "section", index: Number(index) });
    if (kind === "new") {
      const points = this.#model.sections[index].points_px;
      const [a, b] = [points[corner], points[(Number(corner) + 1) % points.length]];
      this.#model.insertPoint(Number(index), Number(corner), [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
      this.#svg.querySelector(`[data-key="point ${index} ${Number(corner) + 1}"]`)?.focus();
    }
  }

  #key(event) {
    if (event.key === "Escape" && this.tool !== "move") return this.cancel();
    if (event.key === "Enter" && this.tool === "area" && this.#draft) return this.finish();
    const key = event.target.closest?.("[data-key]")?.dataset.key;
    if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
    const [kind, index, corner] = key.split(" ").map((part, i) => (i === 0 ? part : Number(part)));
    const isPress = event.key === "Enter" || event.key === " ";
    if (!isPress && !(event.key in ARROWS) && !["Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    if (isPress) return this.#press(key);
    if (event.key in ARROWS) return this.#nudge(kind, index, corner, ARROWS[event.key], event.shiftKey ? 10 : 1);
    if (kind === "section") announce(this.#model.remove({ kind, index }), "info");
    else if (kind === "point" && this.#model.sections[index].is_area && !this.#model.removePoint(index, corner)) {
      announce("An area needs three corners.", "watch");
    }
  }

  #nudge(kind, index, corner, [dx, dy], by) {
    const points = this.#model.sections[index].points_px;
    if (kind === "section") this.#model.shift(index, structuredClone(points), [dx * by, dy * by]);
    if (kind === "point") this.#model.movePoint(index, corner, [points[corner][0] + dx * by, points[corner][1] + dy * by]);
  }
}
