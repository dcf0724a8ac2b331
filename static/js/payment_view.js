/** What the payment dialog shows. It knows elements and words, and nothing of requests. */

import { Ladder } from "./ladder.js";

/** The parts that each view shows beside title and message. */
const VIEWS = {
  sending: [],
  waiting: ["close", "others"],
  completed: ["success", "receipt"],
  failed: ["retry", "close", "others"],
  closed: ["close"],
  review: ["close"],
  slow: ["check", "close", "others"],
  refused: ["close"],
  unreached: ["again", "close"],
  "signed-out": ["sign-in"],
};
/** What gets the focus when a view comes; a view that only waits leaves it where it is. */
const FOCUS = {
  completed: "success",
  failed: "retry-button",
  closed: "close",
  review: "close",
  slow: "check",
  refused: "close",
  unreached: "again",
  "signed-out": "sign-in",
};
const OPTIONAL_PARTS = [...new Set(Object.values(VIEWS).flat())];

export class PaymentView {
  constructor(dialog) {
    this.dialog = dialog;
    this.countdown = null;
    this.askingTimer = null;
    this.phone = dialog.querySelector("[name=phone_number]");
    this.ladder = new Ladder(this);
    dialog.addEventListener("close", () => this.ladder.leave());
  }

  part(name) {
    return this.dialog.querySelector(`[data-part="${name}"]`);
  }

  /** Return the server's words for something: words("slow", "message"). */
  words(name, kind) {
    return this.dialog.getAttribute(`data-${name}-${kind}`);
  }

  open() {
    if (this.dialog.open) return;
    this.ladder.enter();
    this.dialog.showModal();
    this.part("title").focus();
  }

  close() {
    this.dialog.close();
  }

  /** Show a view; title and message default to the words that stand in the dialog for it. */
  show(name, { title, message, usual, warning } = {}) {
    this.dialog.dataset.view = name;
    say(this.part("title"), title || this.words(name, "title"));
    const told = [message || this.words(name, "message"), warning];
    say(this.part("message"), told.filter(Boolean).join(" "));
    OPTIONAL_PARTS.forEach((part) => {
      this.part(part).hidden = !VIEWS[name].includes(part);
    });
    const isWaiting = name === "waiting";
    if (!isWaiting) this.stopCountdown();
    this.sayIf("usual", isWaiting ? usual : "");
    this.showAsking(null);
    this.ladder.refresh();
    this.keepFocus(FOCUS[name]);
  }

  /** Say something, or nothing; what an answer is silent about stays as it was. */
  sayIf(part, text) {
    if (text === undefined) return;
    this.part(part).hidden = !text;
    say(this.part(part), text || "");
  }

  /** Count down to the prompt that the shop sends by itself; null when there is none to come. */
  showAsking(seconds) {
    clearInterval(this.askingTimer);
    const isComing = typeof seconds === "number";
    this.part("asking").hidden = !isComing;
    if (!isComing) return;
    const endsAt = Date.now() + seconds * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
      this.part("asking-seconds").textContent = String(left);
    };
    tick();
    this.askingTimer = setInterval(tick, 1000);
  }

  showReceipt(code) {
    say(this.part("receipt-code"), code || this.dialog.dataset.receiptLater);
  }

  /** Say that the network is gone, or take that back. */
  showOffline(isOffline) {
    const notice = this.part("notice");
    notice.hidden = !isOffline;
    say(notice, isOffline ? this.dialog.dataset.offline : "");
  }

  link(part, address) {
    this.part(part).href = address;
  }

  /** Let the ring run out in so many seconds, out of those that a prompt lives in all. */
  startCountdown(secondsLeft, promptSeconds) {
    this.stopCountdown();
    const endsAt = Date.now() + secondsLeft * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
      const share = Math.min(1, left / promptSeconds);
      this.part("seconds").textContent = left ? String(left) : "";
      this.part("ring").setAttribute("stroke-dashoffset", String(100 - share * 100));
      if (left === 0) this.stopCountdown();
    };
    tick();
    this.countdown = setInterval(tick, 1000);
  }

  stopCountdown() {
    clearInterval(this.countdown);
  }

  /** Keep the focus in the dialog and on something that can be seen. */
  keepFocus(part) {
    if (!this.dialog.open) return;
    const title = this.part("title");
    const focused = document.activeElement;
    const isKept = this.dialog.contains(focused) && !focused.closest("[hidden]");
    if (!isKept || (part && focused === title)) this.part(part || "title").focus();
  }
}

/** Write text only when it changed, so that a screen reader hears each thing once. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
