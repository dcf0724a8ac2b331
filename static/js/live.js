/**
 * Keeps a back-office page up to date without disturbing whoever reads or fills it in.
 *
 * A page that can still change has an element with data-follow: the name of a payout or refund, or
 * the id of a run. On news of it, and every few seconds besides, the page is fetched again and its
 * parts (data-part) are replaced where they differ. Part "acts" holds forms: it is replaced only
 * when its data-version says that other forms stand there now.
 */
import { ws, WebSocketMessageType } from "./payments.js";

const POLL_MS = 5_000;
const SLOW_POLL_MS = 30_000;
/** After so many quick looks it is looked seldom, and after so many looks no more but on news. */
const QUICK_LOOKS = 60;
const MOST_LOOKS = 600;
const NEWS_PAUSE_MS = 250;
const LIMIT_MS = 10_000;

const followed = document.querySelector("[data-follow]");
let looks = 0;
let timer = null;
let isLooking = false;
let isNewsWaiting = false;
let isOver = false;

function isAboutUs(update) {
  const names = [update.reference, update.run_id];
  return names.includes(followed.dataset.follow);
}

function schedule(pause) {
  clearTimeout(timer);
  timer = setTimeout(look, pause);
}

async function look() {
  if (isLooking || isOver) return;
  isLooking = true;
  isNewsWaiting = false;
  looks += 1;
  try {
    show(await fetchPage());
    notice(false);
  } catch (error) {
    console.warn("The page could not be fetched again:", error);
    notice(true);
  } finally {
    isLooking = false;
  }
  if (isOver) return;
  if (isNewsWaiting) schedule(NEWS_PAUSE_MS);
  else if (looks < MOST_LOOKS) schedule(looks < QUICK_LOOKS ? POLL_MS : SLOW_POLL_MS);
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
    if (other && differs(part, other)) replace(part, other);
  }
  if (!page.querySelector("[data-follow]")) {
    isOver = true;
    document.title = page.title;
  }
}

function differs(part, other) {
  if ("version" in part.dataset) return part.dataset.version !== other.dataset.version;
  return part.innerHTML !== other.innerHTML;
}

/** Put new content into a part that stays, so that a screen reader speaks what has changed. */
function replace(part, other) {
  const hadFocus = part.contains(document.activeElement);
  part.className = other.className;
  Object.assign(part.dataset, other.dataset);
  part.replaceChildren(...document.importNode(other, true).childNodes);
  // What had the focus is gone; the state's heading says why.
  if (hadFocus) document.getElementById("state-title").focus();
}

function notice(isShown) {
  document.querySelector("[data-notice]").hidden = !isShown;
}

if (followed) {
  ws.subscribe(WebSocketMessageType.PAYOUT_UPDATE, (update) => {
    if (isOver || !isAboutUs(update)) return;
    isNewsWaiting = true;
    if (!isLooking) schedule(NEWS_PAUSE_MS);
  });
  schedule(POLL_MS);
}
