// A command on the page → the clipboard, and a word that it is there.
import { announce } from "./notices.js";

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without TLS browsers keep the clipboard to themselves: select it, and people press the keys.
    getSelection().selectAllChildren(source);
    announce("It is selected: copy it with the keys of your system.", "info");
    return;
  }
  const before = button.firstChild.textContent;
  button.firstChild.textContent = "Copied";
  setTimeout(() => { button.firstChild.textContent = before; }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copies]") : null;
  if (button) copy(button);
});
