// Before the first paint: the theme that was chosen on this device, if one was.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("its-theme"); } catch { /* storage is switched off */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  document.documentElement.classList.add("scripted");
})();
