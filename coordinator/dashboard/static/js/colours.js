// Names of design tokens → colours that a canvas understands, in the theme that is shown.
const probe = document.createElement("span");
probe.hidden = true;

/** "--accent" (or "accent") → "rgb(…)". `at` is an element whose own tokens count. */
export function colour(name, at = document.body) {
  at.append(probe);
  probe.style.color = `var(${name.startsWith("--") ? name : `--${name}`})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** The same colour with an opacity of 0 to 1. */
export function fainter(rgb, opacity) {
  return rgb.startsWith("rgb(") ? rgb.replace("rgb(", "rgba(").replace(")", `, ${opacity})`) : rgb;
}

/** Call `redraw` whenever the theme changes. */
export function onThemeChange(redraw) {
  document.addEventListener("its:theme", redraw);
}
