// The virtual phone, kept up to date by asking once a second while somebody looks.

const POLL_MS = 1000;
const POLL_AFTER_ERROR_MS = 3000;
const MOST_MESSAGES = 50;

const byId = (id) => document.getElementById(id);
const handset = byId("handset");
const pin = byId("pin");
const notice = byId("notice");

let shown = byId("prompt").hidden ? null : promptIdOf(byId("pin-form").action);
let newestMessage = null;
let timer = null;

function promptIdOf(action) {
  return decodeURIComponent(action.split("/").pop());
}

function setText(element, text) {
  // Writing the same text again would make screen readers read it again.
  if (element.textContent !== text) element.textContent = text;
}

async function ask(url, options = {}) {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...options });
  const body = await response.json();
  if (!response.ok) throw new Error(body.message ?? "The simulator refused.");
  return body;
}

async function refresh() {
  clearTimeout(timer);
  if (document.visibilityState !== "visible") return;
  let wait = POLL_MS;
  try {
    render(await ask(handset.dataset.phone));
    setText(byId("connection"), "");
  } catch {
    setText(byId("connection"), "No network");
    wait = POLL_AFTER_ERROR_MS;
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, wait);
}

function render(phone) {
  setText(byId("clock"), phone.clock);
  setText(byId("balance"), phone.balance_text);
  renderMessages(phone.messages);
  const open = phone.prompts.find((prompt) => prompt.status === "open") ?? null;
  renderPrompt(open);
  renderOutcome(open ? null : phone.prompts.find((prompt) => prompt.status !== "open"));
}

function renderPrompt(prompt) {
  byId("prompt").hidden = prompt === null;
  byId("screen").inert = prompt !== null;
  if (prompt === null) {
    shown = null;
    return;
  }
  setText(byId("seconds"), String(prompt.seconds_left));
  byId("time-left").value = prompt.seconds_left;
  if (prompt.checkout_request_id === shown) return;
  shown = prompt.checkout_request_id;
  setText(byId("question"), prompt.question);
  setText(byId("announcement"), `New payment request. ${prompt.question}`);
  setText(notice, "");
  pin.value = "";
  pin.focus();
}

function renderOutcome(prompt) {
  const outcome = byId("outcome");
  outcome.hidden = !prompt;
  if (!prompt) return;
  outcome.dataset.status = prompt.status;
  setText(outcome, prompt.summary);
}

function renderMessages(messages) {
  const newest = messages.length ? `${messages.length} ${messages[0].text}` : "";
  if (newest === newestMessage) return;
  newestMessage = newest;
  byId("no-messages").hidden = messages.length > 0;
  byId("messages").replaceChildren(...messages.slice(0, MOST_MESSAGES).map(messageItem));
}

function messageItem(message) {
  const item = byId("message").content.cloneNode(true);
  item.querySelector("p").textContent = message.text;
  const time = item.querySelector("time");
  time.dateTime = message.received_at;
  time.textContent = message.clock;
  return item;
}

async function answer(event) {
  event.preventDefault();
  if (shown === null) return;
  const cancel = event.submitter === byId("cancel");
  const body = cancel ? { cancel: true } : { pin: pin.value };
  pin.value = "";
  setText(notice, "");
  setBusy(true);
  try {
    tell(await send(body));
  } catch (error) {
    setText(notice, error.message);
  } finally {
    setBusy(false);
    await refresh();
  }
}

function send(body) {
  return ask(handset.dataset.prompts + encodeURIComponent(shown), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

function tell(prompt) {
  if (prompt.status !== "open") return;
  const left = prompt.pin_attempts_left;
  setText(notice, `Wrong PIN. ${left} ${left === 1 ? "attempt" : "attempts"} left.`);
  pin.focus();
}

function setBusy(busy) {
  byId("send").disabled = busy;
  byId("cancel").disabled = busy;
}

byId("pin-form").addEventListener("submit", answer);
document.addEventListener("visibilitychange", refresh);
refresh();
