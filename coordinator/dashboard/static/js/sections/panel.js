// The model → lists of its sections and flows, with a field for everything that can be set.
import { announce } from "../notices.js";

let lastId = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick" || key === "oninput" || key === "onchange") made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== undefined && value !== false) made.setAttribute(key, String(value));
  }
  made.append(...children);
  return made;
}

function field(label, input) {
  lastId += 1;
  input.id = `drawn-${lastId}`;
  return element("div", { class: "field" }, element("label", { class: "field__label", for: input.id }, label), input);
}

function choice(options, value, attributes) {
  const select = element("select", { class: "input", ...attributes });
  for (const option of options) select.append(option.cloneNode(true));
  if (![...select.options].some((option) => option.value === value)) select.append(element("option", { value }, value));
  select.value = value;
  return select;
}

export class Panel {
  #model;
  #lists;
  #choices;

  /** Lists: elements for sections and flows; choices: selects with the uses and movements. */
  constructor(lists, choices, model) {
    this.#lists = lists;
    this.#choices = choices;
    this.#model = model;
    model.onChange(() => this.draw());
  }

  draw() {
    const focused = document.activeElement;
    const key = focused?.dataset?.key;
    const isMine = key && (this.#lists.sections.contains(focused) || this.#lists.flows.contains(focused));
    const selection = isMine && "selectionStart" in focused ? [focused.selectionStart, focused.selectionEnd] : null;
    this.#fill(this.#lists.sections, this.#model.sections, (each, index) => this.#section(each, index), "Nothing is drawn yet. Choose Line or Area above the picture.");
    this.#fill(this.#lists.flows, this.#model.flows, (each, index) => this.#flow(each, index), "No flows. A flow counts who passes one line and then another.");
    if (!isMine) return;
    const again = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
    again?.focus({ preventScroll: true });
    if (selection && again?.type === "text") again.setSelectionRange(...selection);
  }

  #fill(list, items, make, nothing) {
    list.replaceChildren(items.length
      ? element("ul", { class: "items" }, ...items.map(make))
      : element("p", { class: "muted small" }, nothing));
  }

  #item(kind, index, title, tag, body) {
    const isChosen = this.#model.chosen?.kind === kind && this.#model.chosen.index === index;
    const faults = this.#model.mistakes.filter((each) => each.where === `${kind}s.${index}`);
    const head = element("button", {
      type: "button", class: "item__head", "aria-expanded": isChosen, "data-key": `${kind} head ${index}`,
      onclick: () => this.#model.choose(isChosen ? null : { kind, index }),
    }, element("span", { class: "item__name" }, title || "without a name"), element("span", { class: "item__tag small" }, tag));
    const told = faults.map((each) => element("p", { class: "field__error" }, each.text));
    return element("li", { class: `item${isChosen ? " item--chosen" : ""}${faults.length ? " item--wrong" : ""}` },
      head, ...told, ...(isChosen ? [element("div", { class: "item__body" }, ...body(faults.length > 0))] : []));
  }

  #name(kind, index, value, isWrong) {
    return field("Name", element("input", {
      class: "input", type: "text", value, maxlength: 64, required: true, autocomplete: "off", spellcheck: "false",
      "data-key": `${kind} name ${index}`, "aria-invalid": isWrong || undefined,
      oninput: (event) => (kind === "section" ? this.#model.rename(index, event.target.value) : this.#model.set("flow", index, "name", event.target.value)),
    }));
  }

  #section(section, index) {
    const tag = section.is_area ? `Area, ${section.points_px.length} corners` : "Line";
    return this.#item("section", index, section.name, tag, (isWrong) => [
      this.#name("section", index, section.name, isWrong),
      field("Used for", choice(this.#choices(section.is_area ? "area" : "line"), section.use, {
        "data-key": `use ${index}`, onchange: (event) => this.#model.set("section", index, "use", event.target.value),
      })),
      this.#points(section, index),
      element("div", { class: "row" },
        ...(section.is_area ? [] : [element("button", { type: "button", class: "button button--small", "data-key": `turn ${index}`, onclick: () => this.#model.turn(index) }, "Swap right and left")]),
        this.#removal("section", index)),
    ]);
  }

  #points(section, index) {
    const names = section.is_area ? section.points_px.map((_, i) => `Corner ${i + 1}`) : ["Beginning", "End"];
    const rows = section.points_px.map((point, corner) => element("div", { class: "point" },
      element("span", { class: "small" }, names[corner] ?? `Point ${corner + 1}`),
      ...["x", "y"].map((axis, i) => element("input", {
        class: "input", type: "number", value: point[i], min: 0, step: 1, max: i === 0 ? this.#model.size.width : this.#model.size.height,
        "aria-label": `${names[corner]} of ${section.name}, ${axis} in pixels`, "data-key": `${axis} ${index} ${corner}`,
        onchange: (event) => this.#model.movePoint(index, corner, i === 0 ? [Number(event.target.value), point[1]] : [point[0], Number(event.target.value)]),
      }))));
    return element("details", { class: "points", "data-points": index }, element("summary", {}, "Pixels"), ...rows);
  }

  #flow(flow, index) {
    const names = [...new Set(this.#model.sections.map((each) => each.name))].map((name) => element("option", { value: name }, name));
    const end = (label, key) => field(label, choice(names, flow[key], {
      "data-key": `${key} ${index}`, onchange: (event) => this.#model.set("flow", index, key, event.target.value),
    }));
    return this.#item("flow", index, flow.name, `${flow.start} → ${flow.end}`, (isWrong) => [
      this.#name("flow", index, flow.name, isWrong), end("From", "start"), end("To", "end"),
      field("Movement", choice(this.#choices("movement"), flow.movement, {
        "data-key": `movement ${index}`, onchange: (event) => this.#model.set("flow", index, "movement", event.target.value),
      })),
      element("div", { class: "row" }, this.#removal("flow", index)),
    ]);
  }

  #removal(kind, index) {
    return element("button", {
      type: "button", class: "button button--small button--danger", "data-key": `${kind} remove ${index}`,
      onclick: () => announce(this.#model.remove({ kind, index }), "info"),
    }, "Delete");
  }
}
