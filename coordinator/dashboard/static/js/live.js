// /api/v1/live → bins as they are committed, and whether the stream is there.

/**
 * Follow the live feed until the page is left.
 *
 * onBin gets {site, camera, start, width_s, coverage, quality, series}; onState gets
 * "connecting", "live" or "lost". Returns a function that ends it.
 */
export function followBins({ site = null, onBin = () => {}, onState = () => {} }) {
  const address = site ? `/api/v1/live?site=${encodeURIComponent(site)}` : "/api/v1/live";
  onState("connecting");
  const source = new EventSource(address);
  source.addEventListener("open", () => onState("live"));
  source.addEventListener("bin", (event) => onBin(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    onState(source.readyState === EventSource.CLOSED ? "lost" : "connecting");
  });
  const end = () => source.close();
  addEventListener("pagehide", end, { once: true });
  return end;
}

const TEXTS = { connecting: "Connecting", live: "Live", lost: "Not live" };
const TONES = { connecting: "none", live: "good", lost: "watch" };

/** Show the state of a stream in a badge made by ui.badge(). */
export function showLiveState(badge, state) {
  badge.className = `badge tone-${TONES[state]}${state === "live" ? " badge--live" : ""}`;
  badge.lastChild.textContent = TEXTS[state];
}
