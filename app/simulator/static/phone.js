// The virtual phones of a page, kept up to date by asking once a second while somebody looks.

const POLL_MS = 1000;
const POLL_AFTER_ERROR_MS = 3000;
const MOST_MESSAGES = 50;

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

class Handset {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.pin = this.part("pin");
    this.shown = this.part("prompt").hidden ? null : this.promptIdOf(this.part("form").action);
    this.newestMessage = null;
    this.timer = null;
    this.part("form").addEventListener("submit", (event) => this.answer(event));
  }

  promptIdOf(action) {
    return decodeURIComponent(action.split("/").pop());
  }

  async refresh() {
    clearTimeout(this.timer);
    if (document.visibilityState !== "visible") return;
    let wait = POLL_MS;
    try {
      this.render(await ask(this.root.dataset.phone));
      setText(this.part("connection"), "");
    } catch {
      setText(this.part("connection"), "No network");
      wait = POLL_AFTER_ERROR_MS;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), wait);
  }

  render(phone) {
    setText(this.part("clock"), phone.clock);
    setText(this.part("balance"), phone.balance_text);
    this.renderMessages(phone.messages);
    const open = phone.prompts.find((prompt) => prompt.status === "open") ?? null;
    this.renderPrompt(open);
    this.renderOutcome(open ? null : phone.prompts.find((prompt) => prompt.status !== "open"));
  }

  renderPrompt(prompt) {
    this.part("prompt").hidden = prompt === null;
    this.part("screen").inert = prompt !== null;
    this.root.classList.toggle("rings", prompt !== null);
    if (prompt === null) {
      this.shown = null;
      return;
    }
    setText(this.part("seconds"), String(prompt.seconds_left));
    this.part("time-left").value = prompt.seconds_left;
    if (prompt.checkout_request_id === this.shown) return;
    this.shown = prompt.checkout_request_id;
    setText(this.part("question"), prompt.question);
    const called = this.root.dataset.called ?? "";
    setText(this.part("announcement"), `${called}New payment request. ${prompt.question}`);
    setText(this.part("notice"), "");
    this.pin.value = "";
    if (!somebodyAnswersElsewhere(this.root)) this.pin.focus();
  }

  renderOutcome(prompt) {
    const outcome = this.part("outcome");
    outcome.hidden = !prompt;
    if (!prompt) return;
    outcome.dataset.status = prompt.status;
    setText(outcome, prompt.summary);
  }

  renderMessages(messages) {
    const newest = messages.length ? `${messages.length} ${messages[0].text}` : "";
    if (newest === this.newestMessage) return;
    this.newestMessage = newest;
    this.part("no-messages").hidden = messages.length > 0;
    const items = messages.slice(0, MOST_MESSAGES).map((message) => this.messageItem(message));
    this.part("messages").replaceChildren(...items);
  }

  messageItem(message) {
    const item = this.part("message").content.cloneNode(true);
    item.querySelector("p").textContent = message.text;
    const time = item.querySelector("time");
    time.dateTime = message.received_at;
    time.textContent = message.clock;
    return item;
  }

  async answer(event) {
    event.preventDefault();
    if (this.shown === null) return;
    const cancel = event.submitter === this.part("cancel");
    const body = cancel ? { cancel: true } : { pin: this.pin.value };
    this.pin.value = "";
    setText(this.part("notice"), "");
    this.setBusy(true);
    try {
      this.tell(await this.send(body));
    } catch (error) {
      setText(this.part("notice"), error.message);
    } finally {
      this.setBusy(false);
      await this.refresh();
      goOnWithAnother(this);
    }
  }

  send(body) {
    return ask(this.root.dataset.prompts + encodeURIComponent(this.shown), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  tell(prompt) {
    if (prompt.status !== "open") return;
    const left = prompt.pin_attempts_left;
    setText(this.part("notice"), `Wrong PIN. ${left} ${left === 1 ? "attempt" : "attempts"} left.`);
    this.pin.focus();
  }

  setBusy(busy) {
    this.part("send").disabled = busy;
    this.part("cancel").disabled = busy;
  }
}

// Whoever types a PIN on one phone must not find the rest of it on another.
function somebodyAnswersElsewhere(root) {
  const sheet = document.activeElement?.closest('[data-part="prompt"]');
  return Boolean(sheet) && !sheet.hidden && !root.contains(sheet);
}

// A phone that rang meanwhile gets its turn once this one is answered.
function goOnWithAnother(answered) {
  const at = document.activeElement;
  // The focus stays for a moment on what has just been hidden.
  const isFree = at === document.body || answered.part("prompt").contains(at);
  if (answered.shown !== null || !isFree) return;
  handsets.find((handset) => handset.shown !== null)?.pin.focus();
}

const handsets = [...document.querySelectorAll("[data-phone]")].map((root) => new Handset(root));
const refreshAll = () => handsets.forEach((handset) => handset.refresh());
document.addEventListener("visibilitychange", refreshAll);
refreshAll();
