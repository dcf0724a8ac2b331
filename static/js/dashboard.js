/**
 * The back office's first page, kept up to date and drawn.
 *
 * On news of any payment or payout, and every 30 seconds besides, the page is fetched again and its
 * parts (data-part) are replaced where they differ. Each plot is drawn from the table beside it;
 * without this script the tables are all there is.
 */
import { ws, WebSocketMessageType } from "./payments.js";

const POLL_MS = 30_000;
/** News is told once a second at most, so what happened in that second is waited for. */
const NEWS_PAUSE_MS = 1_100;
const LIMIT_MS = 10_000;
const HEIGHT = 220;
const ZONE = "Africa/Nairobi";
const HOUR_SECONDS = 3600;
const COLOURS = ["--green", "--gold"];
/** How days are named. Everything else that is said comes with the page, in its language. */
const LOCALE = document.documentElement.lang === "sw" ? "sw-KE" : "en-GB";

const badge = document.querySelector("[data-live]");
const plots = new Map();
let timer = null;
let lookAt = Infinity;
let isLooking = false;
let isConnected = false;

// Keeping up to date.

function schedule(pause) {
  const at = Date.now() + pause;
  if (at >= lookAt) return;
  lookAt = at;
  clearTimeout(timer);
  timer = setTimeout(look, pause);
}

async function look() {
  lookAt = Infinity;
  // Nobody sees a hidden page; it looks as soon as somebody does.
  if (document.hidden) return;
  if (isLooking) return schedule(NEWS_PAUSE_MS);
  isLooking = true;
  try {
    show(await fetchPage());
    tell(isConnected ? "live" : "polling");
  } catch (error) {
    console.warn("The page could not be fetched again:", error);
    tell("silent");
  } finally {
    isLooking = false;
    schedule(POLL_MS);
  }
}

async function fetchPage() {
  const answer = await fetch(location.href, {
    headers: { Accept: "text/html" },
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  // Whoever was signed out is led to the sign-in page, and so is the whole window.
  if (answer.redirected) location.reload();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function show(page) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && differs(part, other) && !isInUse(part)) replace(part, other);
  }
  plots.forEach((plot) => plot.update());
}

function differs(part, other) {
  // Forms carry a token that is new each time, so what holds some says itself when it is new.
  if ("version" in part.dataset) return part.dataset.version !== other.dataset.version;
  return part.innerHTML !== other.innerHTML;
}

/** Somebody reads or fills in a form here: it is replaced when they are done. */
function isInUse(part) {
  const isTyped = (field) => field.type !== "hidden" && field.value !== field.defaultValue;
  return part.contains(document.activeElement) || [...part.querySelectorAll("input")].some(isTyped);
}

function replace(part, other) {
  Object.assign(part.dataset, other.dataset);
  part.replaceChildren(...document.importNode(other, true).childNodes);
}

function tell(state) {
  if (badge.dataset.live === state) return;
  badge.dataset.live = state;
  badge.querySelector("[role=status]").textContent = badge.dataset[`${state}Words`];
}

async function listen() {
  ws.subscribe(WebSocketMessageType.SHOP_CHANGED, () => schedule(NEWS_PAUSE_MS));
  await ws.open();
  if (!ws.socket) return;
  ws.socket.on("connect", connected);
  ws.socket.on("disconnect", () => {
    isConnected = false;
    tell("polling");
  });
  if (ws.socket.connected) connected();
}

function connected() {
  isConnected = true;
  tell("live");
  // What was told while nobody listened is lost.
  schedule(NEWS_PAUSE_MS);
}

// Drawing.

class Plot {
  constructor(place) {
    this.place = place;
    this.source = document.querySelector(`[data-part="${place.dataset.plot}"]`);
    place.hidden = false;
    place.closest("section").querySelector("details").open = false;
    this.draw();
    new ResizeObserver(() => this.resize()).observe(place);
  }

  draw() {
    if (this.drawn) this.drawn.destroy();
    const { labels, data } = this.read();
    this.drawn = new uPlot(this.options(labels), data, this.place);
  }

  update() {
    this.drawn.setData(this.read().data);
  }

  resize() {
    const width = this.place.clientWidth;
    if (width && width !== this.drawn.width) this.drawn.setSize({ width, height: HEIGHT });
  }

  /** Read the table: the moments of its rows, and the values of each column that is drawn. */
  read() {
    const table = this.source.querySelector("table");
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows];
    const drawn = heads.filter((head) => "drawn" in head.dataset);
    const value = ({ dataset }) => ("value" in dataset ? Number(dataset.value) : null);
    const column = (head) => rows.map((row) => value(row.cells[head.cellIndex]));
    return {
      labels: drawn.map((head) => head.textContent),
      data: [rows.map((row) => Number(row.dataset.at)), ...drawn.map(column)],
    };
  }

  options(labels) {
    const { unit } = this.place.dataset;
    return {
      width: this.place.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), ZONE),
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { range: () => this.wholePeriod() },
        y: { range: (_, __, most) => [0, unit === "%" ? 100 : (most || 1) * 1.1] },
      },
      axes: [this.axis((at) => this.moment(at)), this.axis((value) => this.mark(value))],
      series: [
        { label: this.place.dataset.fromWord, value: (_, at) => (at === null ? "–" : this.moment(at)) },
        ...labels.map((label, at) => this.series(label, at)),
      ],
    };
  }

  wholePeriod() {
    const { step, steps } = this.place.dataset;
    const [first] = this.read().data[0];
    return [first - step / 2, first + (steps - 0.5) * step];
  }

  axis(write) {
    const line = { stroke: token("--line"), width: 1 };
    const values = (_, marks) => marks.map((at) => (at === null ? "" : write(at)));
    return { stroke: token("--soft"), grid: line, ticks: line, font: "12px system-ui", values };
  }

  series(label, at) {
    const { kind } = this.place.dataset;
    const colour = token(COLOURS[at]);
    return {
      label,
      stroke: colour,
      width: kind === "bars" ? 0 : 2,
      // Two lines differ in more than their colour.
      dash: at ? [6, 4] : undefined,
      fill: kind === "bars" ? colour : undefined,
      paths: kind === "bars" ? uPlot.paths.bars({ size: [0.7, 48] }) : undefined,
      points: { show: kind !== "bars", size: 6 },
      value: (_, value) => (value === null ? "–" : this.amount(value)),
    };
  }

  moment(seconds) {
    const isHours = Number(this.place.dataset.step) === HOUR_SECONDS;
    const parts = isHours
      ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
      : { day: "numeric", month: "short" };
    const options = { ...parts, timeZone: ZONE };
    return new Intl.DateTimeFormat(LOCALE, options).format(seconds * 1000);
  }

  amount(value) {
    return this.inUnit(new Intl.NumberFormat("en-GB").format(value));
  }

  /** Write an amount at an axis, where there is little room: 1.5K for 1,500. */
  mark(value) {
    const written = new Intl.NumberFormat("en-GB", { notation: "compact" }).format(value);
    return this.place.dataset.unit === "KES" ? written : this.inUnit(written);
  }

  /** Write a number as the page writes a nought of this plot's unit: "KES 0", "0%", "0 s". */
  inUnit(written) {
    return this.place.dataset.nought.replace("0", written);
  }
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawAll() {
  if (!window.uPlot) return;
  document.querySelectorAll("[data-plot]").forEach((place) => {
    plots.set(place.dataset.plot, new Plot(place));
  });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", () => plots.forEach((plot) => plot.draw()));
}

drawAll();
tell("polling");
schedule(POLL_MS);
document.addEventListener("visibilitychange", () => document.hidden || schedule(0));
listen();
