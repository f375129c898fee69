// A sentence → shown at the top of the page and read out.
export function announce(text, tone = "good") {
  const region = document.getElementById("notices");
  if (!region) return;
  const shown = document.createElement("p");
  shown.className = `notice tone-${tone}`;
  shown.textContent = text;
  region.replaceChildren(shown);
}
