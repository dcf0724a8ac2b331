/**
 * The payment dialog: it sends the pay form, follows the payment and offers a retry.
 *
 * News comes by Socket.IO; the second string is a poll of the shop's own record. Either alone is
 * enough. Without this script the same forms work, and the order page says the same words.
 */
import { ws, WebSocketMessageType } from "./payments.js";
import { markOf, secondsLeft, viewOf } from "./order_state.js";
import { getJson, postForm, postJson, Refused, SignedOut } from "./shop_api.js";
import { PaymentView } from "./payment_view.js";

const QUERY = "/api/payments/mpesa/query";
/** Starting a prompt waits for M-Pesa; a poll reads the shop's own record. */
const START_LIMIT_SECONDS = 30;
const POLL_LIMIT_SECONDS = 10;
const SUCCESS_PAUSE_MS = 2000;
/** How often an order that waits for money is looked at, and how many times at most. */
const WATCH_SECONDS = 10;
const MOST_LOOKS = 360;
const DEFAULT_PROMPT_SECONDS = 60;
const UNPAID_ENDS = ["failed", "cancelled", "expired"];

class PaymentFollower {
  constructor(dialog) {
    this.dialog = dialog;
    this.view = new PaymentView(dialog);
    this.isBusy = false;
    this.isEnded = true;
    this.pollTimer = null;
    this.watchTimer = null;
    this.looksLeft = MOST_LOOKS;
    this.mark = null;
    this.pollSeconds = Number(dialog.dataset.pollSeconds);
    this.pollLimit = Number(dialog.dataset.pollLimit);
    this.isOrderPage = Boolean(dialog.dataset.orderUrl);
    this.listenToDialog();
    if (this.isOrderPage) this.adoptOrder(dialog.dataset);
  }

  listenToDialog() {
    const on = (part, event, act) => this.view.part(part).addEventListener(event, act);
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.leave();
    });
    // Browsers let a second Escape close a dialog whatever the page says.
    this.dialog.addEventListener("close", () => this.isBusy && this.view.open());
    on("close", "click", () => this.leave());
    on("check", "click", () => this.checkAgain());
    on("again", "click", () => this.send(this.lastRequest));
    on("retry", "submit", (event) => {
      event.preventDefault();
      this.send(() => this.requestRetry());
    });
    on("asking", "submit", (event) => {
      event.preventDefault();
      this.stopAsking(event.target);
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.watchTimer) this.look();
    });
    window.addEventListener("offline", () => this.view.showOffline(!this.isEnded));
    window.addEventListener("online", () => this.view.showOffline(false));
  }

  // Sending: the pay form at first, a retry after that. Only one is ever on its way.

  pay(form) {
    this.form = form;
    explainAtField(form.elements.phone_number, "");
    this.view.phone.value = form.elements.phone_number.value;
    this.view.open();
    return this.send(() => postForm(form, START_LIMIT_SECONDS));
  }

  requestRetry() {
    const form = this.view.part("retry");
    form.action = `${this.orderUrl}/pay`;
    return postForm(form, START_LIMIT_SECONDS);
  }

  async stopAsking(form) {
    form.action = `${this.orderUrl}/stop-asking`;
    try {
      this.view.showAsking((await postForm(form, POLL_LIMIT_SECONDS)).again_seconds);
    } catch (error) {
      console.error("The shop could not be told:", error);
      if (error instanceof SignedOut) this.showSignedOut();
    }
  }

  async send(request) {
    if (this.isBusy) return;
    this.isBusy = true;
    this.lastRequest = request;
    this.stopWatching();
    this.view.show("sending");
    try {
      this.follow(await request());
    } catch (error) {
      this.showTrouble(error);
    } finally {
      this.isBusy = false;
    }
  }

  showTrouble(error) {
    console.error("The payment could not be started:", error);
    if (error instanceof SignedOut) return this.showSignedOut();
    if (!(error instanceof Refused)) return this.view.show("unreached");
    if (error.details.order_url) this.adoptOrder(error.details);
    if (!this.orderUrl) return this.refuse(error);
    const isOfThisOrder = error.details.reason !== "phone_busy";
    if (["ORDER_ALREADY_PAID", "PAYMENT_IN_PROGRESS"].includes(error.code) && isOfThisOrder) {
      return this.follow({ live: true, message: error.message });
    }
    const title = this.view.words("refused", "title");
    this.view.show("failed", { title, message: error.message });
    // The words of the refusal stay: what stands in the books is only noted.
    this.mark = null;
    this.watch(0);
  }

  /** No order was made: say why, and let a page that has gone stale be made anew. */
  refuse(error) {
    if (error.code === "INVALID_PHONE" && this.form) {
      this.view.close();
      return explainAtField(this.form.elements.phone_number, error.message);
    }
    this.isPageStale = true;
    this.view.show("refused", { message: error.message });
  }

  showSignedOut() {
    const next = this.orderUrl || location.pathname;
    this.view.link("sign-in", `/sign-in?next=${encodeURIComponent(next)}`);
    const words = this.orderUrl ? "signed-out" : "signed-out-early";
    this.finish("signed-out", { message: this.view.words(words, "message") });
    this.view.open();
  }

  // Following: from a live prompt to its end.

  /** Take an order's names from an answer's data or from the dialog's own attributes. */
  adoptOrder(names) {
    this.orderId = names.order_id || names.orderId;
    this.orderUrl = names.order_url || names.orderUrl;
    this.successUrl = names.success_url || names.successUrl;
    this.view.link("success", this.successUrl);
    this.view.ladder.address = this.orderUrl;
    // Whoever loads the page again, or comes back to it, finds the order and not an empty cart.
    if (!this.isOrderPage) history.replaceState(null, "", this.orderUrl);
  }

  follow(data) {
    if (data.order_url) this.adoptOrder(data);
    this.stopWatching();
    this.transactionId = data.transaction_id;
    this.pollsLeft = this.pollLimit;
    this.isEnded = false;
    this.listenForNews();
    // An answer without words (a dialect's own) is followed by a question that brings them.
    this.take(data);
    if (!this.isEnded) this.schedulePoll(data.title ? this.pollSeconds : 0);
  }

  listenForNews() {
    // Who comes by a link has no name that the server would send news to.
    if (this.stopListening || !this.orderId) return;
    this.stopListening = ws.subscribe(WebSocketMessageType.PAYMENT_UPDATE, (update) =>
      this.hear(update)
    );
    // An end that came while the socket was opening was told to nobody: look once it is open.
    ws.follow(this.orderId, () => this.isEnded || this.askOnce());
  }

  /** Take an answer's data in: show it, and stop following when it is an end. */
  take(data) {
    const view = "title" in data || "status" in data ? viewOf(data) : "waiting";
    if (data.transaction_id) this.transactionId = data.transaction_id;
    if (view === "completed") return this.succeed(data.receipt || data.payment_reference, data);
    if (view !== "waiting") return this.finish(view, data);
    // The words of S4-65 stay once they are said: only an end replaces them.
    if (this.dialog.dataset.view !== "slow") this.showWaiting(data);
  }

  showWaiting(data) {
    this.view.show("waiting", data);
    if (!data.prompt_expires_at) return;
    const seconds = data.prompt_seconds || this.promptSeconds || DEFAULT_PROMPT_SECONDS;
    this.promptSeconds = seconds;
    this.view.startCountdown(secondsLeft(data), seconds);
  }

  /** Hear a pushed update. It carries enough to show an end without asking anybody. */
  hear(update) {
    if (update.order_id !== this.orderId) return;
    if (update.status === "completed") return this.succeed(update.receipt);
    const isOther = this.transactionId && update.transaction_id !== this.transactionId;
    if (this.isEnded && this.watchTimer) this.look();
    if (this.isEnded || this.isBusy || isOther) return;
    if (UNPAID_ENDS.includes(update.status)) this.showUnpaidEnd(update);
    if (update.status === "review") this.finish("review");
  }

  /** Show the end at once in general words; the watch then asks for the exact ones. */
  showUnpaidEnd(update) {
    const words = (kind) => this.view.words(update.status, kind);
    this.finish("failed", { title: words("title"), message: words("message") });
  }

  succeed(receipt, words) {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.end();
    this.view.showReceipt(receipt);
    this.view.show("completed", words);
    if (this.dialog.open) setTimeout(() => location.assign(this.successUrl), SUCCESS_PAUSE_MS);
    else location.reload();
  }

  /** Show an end; an order page behind a closed dialog is brought up to date instead. */
  finish(view, words) {
    this.end();
    this.view.show(view, words);
    if (view === "failed") this.watchAfter(words);
    if (view !== "signed-out") this.refreshPage();
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.pollTimer);
    this.stopWatching();
    this.view.showOffline(false);
  }

  // Polling: the second string.

  query() {
    if (!this.orderId) return this.state();
    return postJson(QUERY, { order_id: this.orderId }, POLL_LIMIT_SECONDS);
  }

  state() {
    return getJson(`${this.orderUrl}/state`, POLL_LIMIT_SECONDS);
  }

  schedulePoll(seconds) {
    clearTimeout(this.pollTimer);
    this.pollTimer = setTimeout(() => this.poll(), seconds * 1000);
  }

  async poll() {
    this.pollsLeft -= 1;
    await this.askOnce();
    if (this.isEnded) return;
    if (this.pollsLeft > 0) this.schedulePoll(this.pollSeconds);
    else this.view.show("slow");
  }

  async askOnce() {
    try {
      const data = await this.query();
      this.view.showOffline(false);
      if (!this.isEnded) this.take(data);
    } catch (error) {
      console.error("Polling error:", error);
      if (this.isEnded) return;
      if (error instanceof SignedOut) this.showSignedOut();
      else if (!(error instanceof Refused)) this.view.showOffline(true);
    }
  }

  async checkAgain() {
    if (this.isBusy) return;
    this.isBusy = true;
    await this.askOnce();
    this.isBusy = false;
  }

  // Watching: an order that waits for money may be paid by another way, or on another device.

  /** Watch on after an unpaid end; words that are not the page's own are asked for at once. */
  watchAfter(words) {
    const isExact = "can_pay" in words;
    this.mark = isExact ? markOf(words) : "";
    this.view.showAsking(words.again_seconds);
    this.watch(isExact ? WATCH_SECONDS : 0);
  }

  watch(seconds = WATCH_SECONDS) {
    this.stopWatching();
    if (this.looksLeft <= 0) return;
    this.watchTimer = setTimeout(async () => {
      if (!document.hidden) await this.look();
      if (this.watchTimer) this.watch();
    }, seconds * 1000);
  }

  stopWatching() {
    clearTimeout(this.watchTimer);
    this.watchTimer = null;
  }

  async look() {
    this.looksLeft -= 1;
    try {
      const data = await this.state();
      this.view.showOffline(false);
      if (this.watchTimer) this.takeNews(data);
    } catch (error) {
      console.error("Polling error:", error);
      if (error instanceof SignedOut) this.endWatch();
      else if (!(error instanceof Refused)) this.view.showOffline(true);
    }
  }

  endWatch() {
    this.stopWatching();
    if (this.dialog.open) this.showSignedOut();
  }

  takeNews(data) {
    const before = this.mark;
    this.mark = markOf(data);
    const isNews = before !== null && before !== this.mark;
    if (!isNews) return this.view.showAsking(data.again_seconds);
    if (!this.dialog.open) return this.showOrderPage();
    return viewOf(data) === "waiting" ? this.follow(data) : this.take(data);
  }

  // Leaving: closing loses nothing, the payment lives on the order page.

  leave() {
    if (this.isBusy || this.isLeaving) return;
    if (!this.orderUrl) return this.isPageStale ? location.reload() : this.view.close();
    if (!this.isOrderPage) return this.showOrderPage();
    this.view.close();
    this.refreshPage();
  }

  /** Bring the order page behind a closed dialog up to date, without opening the dialog again. */
  refreshPage() {
    if (this.dialog.open || !this.isOrderPage) return;
    if (!this.isEnded && this.wasLiveAtLoad) return;
    this.showOrderPage();
  }

  showOrderPage() {
    history.replaceState(null, "", `${this.orderUrl}#order`);
    location.reload();
  }
}

/** Say at a field what is wrong with it, as the page without script does; "" takes it back. */
function explainAtField(field, message) {
  const id = `${field.id}-problem`;
  const problem = document.getElementById(id) || document.createElement("p");
  Object.assign(problem, { id, className: "problem", hidden: !message, textContent: message });
  problem.setAttribute("role", "alert");
  field.parentElement.append(problem);
  field.setAttribute("aria-invalid", String(Boolean(message)));
  field.setAttribute("aria-describedby", `${field.id}-hint ${id}`);
  if (message) field.focus();
}

function interceptPayForm(follower) {
  const form = document.querySelector("form[data-pay-form]");
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    follower.pay(form);
  });
}

/** On an order page whose prompt is live: follow it, in the dialog unless it was just closed. */
function followLiveOrder(follower, dialog) {
  const state = JSON.parse(dialog.dataset.state || "{}");
  if (state.can_pay) follower.watchAfter(state);
  if (!state.live) return;
  follower.wasLiveAtLoad = true;
  follower.follow(state);
  const button = document.querySelector("[data-follow]");
  button.hidden = false;
  button.addEventListener("click", () => follower.view.open());
  if (location.hash !== "#order") follower.view.open();
}

function start() {
  const dialog = document.getElementById("payment-dialog");
  // A browser without <dialog> keeps the plain forms, which need nothing from here.
  if (!dialog || !dialog.showModal) return;
  const follower = new PaymentFollower(dialog);
  interceptPayForm(follower);
  followLiveOrder(follower, dialog);
  // A page taken from the back-forward cache shows a moment that has passed.
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
}

start();
