// What is drawn: sections and flows, what is chosen, and every step back and forth.
const MOST_STEPS = 200;
const SAME_STEP_MS = 900;
export const MOST_SECTIONS = 64;
export const MOST_CORNERS = 64;

/** A point inside the picture, in whole pixels. */
export function inside([x, y], { width, height }) {
  const within = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  return [within(x, width), within(y, height)];
}

export function middleOf(points) {
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0]);
  return [sum[0] / points.length, sum[1] / points.length];
}

/** Unit vector to the right of somebody who walks from the first point to the second; y grows downwards. */
export function rightOf([[x1, y1], [x2, y2]]) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  return [-(y2 - y1) / length, (x2 - x1) / length];
}

export class Model {
  #listeners = [];
  #undo = [];
  #redo = [];
  #step = { name: "", at: 0 };

  constructor(content, size) {
    this.size = size;
    this.saved = JSON.stringify(content);
    this.content = JSON.parse(this.saved);
    this.chosen = null; // {kind: "section" | "flow", index}
    this.mistakes = [];
  }

  get sections() { return this.content.sections; }
  get flows() { return this.content.flows; }
  get text() { return JSON.stringify(this.content); }
  get isDirty() { return this.text !== this.saved; }
  get canUndo() { return this.#undo.length > 0; }
  get canRedo() { return this.#redo.length > 0; }
  get chosenSection() { return this.chosen?.kind === "section" ? this.sections[this.chosen.index] : null; }

  onChange(listener) { this.#listeners.push(listener); }

  /** Change the content; steps of one name that follow closely are one step back. */
  change(mutate, name = "") {
    const before = this.text;
    mutate(this.content);
    if (this.text === before) return;
    const now = Date.now();
    const isSame = name !== "" && name === this.#step.name && now - this.#step.at < SAME_STEP_MS;
    if (!isSame) this.#undo = [...this.#undo.slice(1 - MOST_STEPS), before];
    this.#step = { name, at: now };
    this.#redo = [];
    this.tell();
  }

  /** The next change is a step of its own. */
  endStep() { this.#step = { name: "", at: 0 }; }

  choose(chosen) {
    this.chosen = chosen;
    this.tell();
  }

  undo() { this.#travel(this.#undo, this.#redo); }
  redo() { this.#travel(this.#redo, this.#undo); }

  replace(content) { this.change((now) => Object.assign(now, structuredClone(content))); this.choose(null); }

  tell() {
    const list = this.chosen?.kind === "flow" ? this.flows : this.sections;
    if (this.chosen && this.chosen.index >= list.length) this.chosen = null;
    for (const listener of this.#listeners) listener(this);
  }

  add(isArea, points) {
    if (this.sections.length >= MOST_SECTIONS) return false;
    const name = this.#freeName(isArea ? "Area" : "Line", this.sections);
    const use = isArea ? "approach" : "traffic";
    const drawn = { name, use, points_px: points.map((p) => inside(p, this.size)), is_area: isArea };
    this.change((content) => content.sections.push(drawn));
    this.choose({ kind: "section", index: this.sections.length - 1 });
    return true;
  }

  addFlow() {
    const lines = this.sections.filter((each) => !each.is_area);
    if (lines.length === 0) return false;
    const start = lines[0].name;
    const end = (lines[1] ?? lines[0]).name;
    const name = this.#freeName("Flow", this.flows);
    this.change((content) => content.flows.push({ name, start, end, movement: "thru" }));
    this.choose({ kind: "flow", index: this.flows.length - 1 });
    return true;
  }

  rename(index, name) {
    const before = this.sections[index].name;
    this.change((content) => {
      content.sections[index].name = name;
      // Another section of the old name keeps its flows.
      if (content.sections.some((each) => each.name === before)) return;
      for (const flow of content.flows) {
        if (flow.start === before) flow.start = name;
        if (flow.end === before) flow.end = name;
      }
    }, `rename ${index}`);
  }

  /** Remove a section with its flows, or a flow; says what went with it. */
  remove({ kind, index }) {
    if (kind === "flow") {
      const [gone] = this.flows.slice(index, index + 1);
      this.change((content) => content.flows.splice(index, 1));
      this.choose(null);
      return `Flow ${gone.name} is deleted.`;
    }
    const { name } = this.sections[index];
    const flows = this.flows.length;
    this.change((content) => {
      content.sections.splice(index, 1);
      if (content.sections.some((each) => each.name === name)) return;
      content.flows = content.flows.filter((flow) => flow.start !== name && flow.end !== name);
    });
    this.choose(null);
    const less = flows - this.flows.length;
    return `${name} is deleted${less ? `, with ${less} of its flows` : ""}.`;
  }

  movePoint(index, corner, point) {
    this.change((content) => {
      content.sections[index].points_px[corner] = inside(point, this.size);
    }, `point ${index} ${corner}`);
  }

  insertPoint(index, after, point) {
    if (this.sections[index].points_px.length >= MOST_CORNERS) return;
    this.change((content) => content.sections[index].points_px.splice(after + 1, 0, inside(point, this.size)));
  }

  removePoint(index, corner) {
    if (this.sections[index].points_px.length <= 3) return false;
    this.change((content) => content.sections[index].points_px.splice(corner, 1));
    return true;
  }

  /** Move a whole section, as far as the picture's edge lets it. */
  shift(index, from, [dx, dy], name = `shift ${index}`) {
    const xs = from.map(([x]) => x), ys = from.map(([, y]) => y);
    const within = (by, low, high, most) => Math.round(Math.min(Math.max(by, -low), most - high));
    const byX = within(dx, Math.min(...xs), Math.max(...xs), this.size.width);
    const byY = within(dy, Math.min(...ys), Math.max(...ys), this.size.height);
    this.change((content) => {
      content.sections[index].points_px = from.map(([x, y]) => [x + byX, y + byY]);
    }, name);
  }

  turn(index) { this.change((content) => content.sections[index].points_px.reverse()); }

  set(kind, index, key, value) {
    this.change((content) => { content[`${kind}s`][index][key] = value; }, `${kind} ${index} ${key}`);
  }

  #freeName(word, list) {
    const taken = new Set(list.map((each) => each.name));
    let number = 1;
    while (taken.has(`${word} ${number}`)) number += 1;
    return `${word} ${number}`;
  }

  #travel(from, to) {
    if (from.length === 0) return;
    to.push(this.text);
    this.content = JSON.parse(from.pop());
    this.endStep();
    this.tell();
  }
}
