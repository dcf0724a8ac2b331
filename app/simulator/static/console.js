// What changes by itself on the pages: parts that the server draws again, and a copy button.

const POLL_MS = 1000;
const POLL_AFTER_ERROR_MS = 3000;

class Live {
  constructor(region) {
    this.region = region;
    this.drawn = null;
    this.timer = null;
  }

  async look() {
    clearTimeout(this.timer);
    if (document.visibilityState !== "visible") return;
    let wait = POLL_MS;
    try {
      const options = { signal: AbortSignal.timeout(10_000) };
      const response = await fetch(this.region.dataset.live, options);
      if (response.ok) this.draw(await response.text());
    } catch {
      wait = POLL_AFTER_ERROR_MS;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), wait);
  }

  draw(html) {
    if (html === this.drawn) return;
    const wasDrawn = this.drawn !== null;
    this.drawn = html;
    const focused = this.region.contains(document.activeElement) ? document.activeElement.id : null;
    this.region.innerHTML = html;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    if (wasDrawn) this.say();
  }

  // The words go where they stayed all the time: a new element would not be read out.
  say() {
    const place = document.getElementById(this.region.dataset.says ?? "");
    const said = this.region.querySelector("[data-said]")?.dataset.said.trim() ?? "";
    if (place && place.textContent !== said) place.textContent = said;
  }
}

const regions = [...document.querySelectorAll("[data-live]")].map((region) => new Live(region));
const lookAtAll = () => regions.forEach((region) => region.look());
document.addEventListener("visibilitychange", lookAtAll);
lookAtAll();

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.value);
  } catch {
    // Without leave, or without https, the old way still works.
    source.select();
    document.execCommand("copy");
  }
  document.getElementById("copied").textContent = "Copied.";
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
