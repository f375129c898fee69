// The section editor: model, drawing and lists put together; checked while it is drawn.
import { announce } from "./notices.js";
import { askJson } from "./requests.js";
import { Canvas } from "./sections/canvas.js";
import { Model } from "./sections/model.js";
import { Panel } from "./sections/panel.js";

const CHECK_AFTER_MS = 350;
const LARGEST_FILE_BYTES = 20_000_000;

const editor = document.querySelector("[data-editor]");
const part = (name) => editor.querySelector(`[data-${name}]`);
const layout = part("layout");
const size = { width: Number(editor.dataset.width), height: Number(editor.dataset.height) };
const boxContent = JSON.parse(part("box-layout").dataset.content);
const model = new Model(JSON.parse(layout.value), size);
if (editor.dataset.unsent === "yes") model.saved = "";

const canvas = new Canvas(part("drawing"), model, { hint: part("hint"), draft: part("draft"), finish: part("finish"), onTool: useTool });
const templates = document.getElementById("use-choices").content;
const panel = new Panel({ sections: part("sections"), flows: part("flows") }, (name) => templates.querySelector(`[data-for="${name}"]`).options, model);

function useTool(tool) {
  for (const button of editor.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  canvas.use(tool);
}

// What the box would say

let checking = null;
let timer = 0;
let checkedText = "";

async function check() {
  checking?.abort();
  checking = new AbortController();
  const text = model.text;
  try {
    const { mistakes } = await askJson(editor.dataset.check, { method: "POST", body: model.content, signal: checking.signal });
    model.mistakes = mistakes;
  } catch (error) {
    if (error.name === "AbortError") return;
    model.mistakes = [{ where: "drawing", text: error.message }];
  }
  checkedText = text;
  tellMistakes();
  model.tell();
}

function tellMistakes() {
  const region = part("mistakes");
  const isWrong = model.mistakes.length > 0;
  const title = document.createElement("p");
  title.className = `editor__verdict-title tone-${isWrong ? "bad" : "good"}`;
  title.textContent = isWrong ? "The box would not take this drawing" : "The box can take this drawing";
  const list = document.createElement("ul");
  list.className = "editor__mistakes";
  for (const each of model.mistakes) {
    const item = document.createElement("li");
    item.textContent = each.text;
    list.append(item);
  }
  region.replaceChildren(title, ...(isWrong ? [list] : []));
}

function follow() {
  const isDirty = model.isDirty;
  layout.value = model.text;
  part("dirty").textContent = isDirty ? "Changed, not sent" : "Nothing changed";
  part("undo").disabled = !model.canUndo;
  part("redo").disabled = !model.canRedo;
  part("remove").disabled = !model.chosen;
  part("reset").disabled = model.text === JSON.stringify(boxContent);
  const send = part("send");
  send.disabled = send.dataset.never === "yes" || !isDirty || model.mistakes.length > 0;
  if (model.text === checkedText) return;
  clearTimeout(timer);
  timer = setTimeout(check, CHECK_AFTER_MS);
}

if (part("send").disabled) part("send").dataset.never = "yes";
model.onChange(follow);

editor.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.tool) useTool(button.dataset.tool);
  else if ("undo" in button.dataset) model.undo();
  else if ("redo" in button.dataset) model.redo();
  else if ("remove" in button.dataset && model.chosen) announce(model.remove(model.chosen), "info");
  else if ("finish" in button.dataset) canvas.finish();
  else if ("middle" in button.dataset) canvas.putInTheMiddle();
  else if ("cancel" in button.dataset) canvas.cancel();
  else if ("reset" in button.dataset) model.replace(boxContent);
  else if ("addFlow" in button.dataset && !model.addFlow()) announce("Draw the lines first that it leads over.", "watch");
  else if (button.dataset.background) chooseBackground(button.dataset.background);
});

document.addEventListener("keydown", (event) => {
  const isText = event.target.matches?.("input, textarea, select");
  if (!(event.ctrlKey || event.metaKey) || event.altKey || isText) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) model.redo();
  else model.undo();
});

let isSending = false;
editor.addEventListener("submit", () => { isSending = true; });
addEventListener("pageshow", () => { isSending = false; });
addEventListener("beforeunload", (event) => { if (model.isDirty && !isSending) event.preventDefault(); });

// What is behind the lines

let fileAddress = "";

function plateAddress() {
  const number = Number(document.getElementById("plate")?.dataset.plateNumber ?? 0);
  return number ? `${editor.dataset.picture}?number=${number}` : "";
}

function background(kind) {
  const address = { box: plateAddress(), file: fileAddress, grid: "" }[kind];
  for (const button of editor.querySelectorAll("[data-background]")) button.setAttribute("aria-pressed", String(button.dataset.background === kind));
  part("file-note").hidden = kind !== "file";
  canvas.show(address);
}

function chooseBackground(kind) {
  if (kind === "file") part("file").click();
  else background(kind);
}

part("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  if (!/^image\/(png|jpeg|webp)$/.test(file.type) || file.size > LARGEST_FILE_BYTES) {
    announce("That is no PNG, JPEG or WebP picture of up to 20 MB.", "bad");
    return;
  }
  const address = URL.createObjectURL(file);
  const trial = new Image();
  trial.onload = () => {
    URL.revokeObjectURL(fileAddress);
    fileAddress = address;
    background("file");
    const [shape, wanted] = [trial.naturalWidth / trial.naturalHeight, size.width / size.height];
    if (Math.abs(shape / wanted - 1) > 0.02) announce("The picture has another shape than the camera's and is stretched to fit.", "watch");
  };
  trial.onerror = () => { URL.revokeObjectURL(address); announce("That picture cannot be read.", "bad"); };
  trial.src = address;
});

function offerPlate({ isNew }) {
  const button = editor.querySelector('[data-background="box"]');
  const isPressed = button.getAttribute("aria-pressed") === "true";
  button.disabled = plateAddress() === "";
  if (plateAddress() && isNew) background("box");
  else if (isPressed) background(plateAddress() ? "box" : "grid");
}

let plateNumber = document.getElementById("plate")?.dataset.plateNumber;
document.addEventListener("htmx:afterSwap", () => {
  const number = document.getElementById("plate")?.dataset.plateNumber;
  if (number === plateNumber) return;
  plateNumber = number;
  offerPlate({ isNew: number !== "0" });
});

offerPlate({ isNew: plateNumber !== "0" });
useTool("move");
panel.draw();
follow();
