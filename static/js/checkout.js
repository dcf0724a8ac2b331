/**
 * The payment dialog: it sends the pay form, follows the payment and offers a retry.
 *
 * News comes by Socket.IO; the second string is a poll of the shop's own record. Either alone is
 * enough. Without this script the same forms work, and the order page says the same words.
 */
import { ws, WebSocketMessageType } from "./payments.js";
import { postForm, postJson, Refused, serverNow, SignedOut } from "./shop_api.js";
import { PaymentView } from "./payment_view.js";

const INITIATE = "/api/payments/mpesa/initiate";
const QUERY = "/api/payments/mpesa/query";
/** Starting a prompt waits for M-Pesa; a poll reads the shop's own record. */
const START_LIMIT_SECONDS = 30;
const POLL_LIMIT_SECONDS = 10;
const SUCCESS_PAUSE_MS = 2000;
const DEFAULT_PROMPT_SECONDS = 60;
const UNPAID_ENDS = ["failed", "cancelled", "expired"];

/** Name the view for an answer's data, be it an order's state or a query's answer. */
function viewOf(data) {
  const word = data.state || data.status;
  if (word === "paid" || word === "completed") return "completed";
  if (data.live || word === "waiting" || word === "unconfirmed") return "waiting";
  if (word === "review" || data.reason === "review") return "review";
  if (data.can_pay || data.can_retry) return "failed";
  if (word !== "pending") return "closed";
  // Not live, not to be paid again and not ended: a person is looking at it.
  return data.live === false ? "review" : "waiting";
}

/** Count by the server's own figure, or by its clock: a phone's clock is often minutes off. */
function secondsLeft(data) {
  if (typeof data.seconds_left === "number") return data.seconds_left;
  return (Date.parse(data.prompt_expires_at) - serverNow()) / 1000;
}

class PaymentFollower {
  constructor(dialog) {
    this.dialog = dialog;
    this.view = new PaymentView(dialog);
    this.isBusy = false;
    this.isEnded = true;
    this.pollTimer = null;
    this.pollSeconds = Number(dialog.dataset.pollSeconds);
    this.pollLimit = Number(dialog.dataset.pollLimit);
    this.isOrderPage = Boolean(dialog.dataset.orderId);
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
    const body = { order_id: this.orderId, phone_number: this.view.phone.value };
    return postJson(INITIATE, body, START_LIMIT_SECONDS);
  }

  async send(request) {
    if (this.isBusy) return;
    this.isBusy = true;
    this.lastRequest = request;
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
    if (error.details.order_id) this.adoptOrder(error.details);
    if (!this.orderId) return this.refuse(error);
    if (["ORDER_ALREADY_PAID", "PAYMENT_IN_PROGRESS"].includes(error.code)) {
      return this.follow({ live: true, message: error.message });
    }
    return this.view.show("failed", { message: error.message });
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
    const next = this.orderId ? `/orders/${this.orderId}` : location.pathname;
    this.view.link("sign-in", `/sign-in?next=${encodeURIComponent(next)}`);
    const words = this.orderId ? "signed-out" : "signed-out-early";
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
  }

  follow(data) {
    if (data.order_url) this.adoptOrder(data);
    this.transactionId = data.transaction_id;
    this.pollsLeft = this.pollLimit;
    this.isEnded = false;
    this.listenForNews();
    // An answer without words (a dialect's own) is followed by a question that brings them.
    this.take(data);
    if (!this.isEnded) this.schedulePoll(data.title ? this.pollSeconds : 0);
  }

  listenForNews() {
    if (this.stopListening) return;
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
    if (this.isEnded || this.isBusy || isOther) return;
    if (UNPAID_ENDS.includes(update.status)) this.showUnpaidEnd(update);
    if (update.status === "review") this.finish("review");
  }

  /** Show the end at once in general words, then ask once for the server's exact ones. */
  showUnpaidEnd(update) {
    const words = (kind) => this.view.words(update.status, kind);
    this.finish("failed", { title: words("title"), message: words("message") });
    const isExact = (data) => data.title && !this.isBusy && viewOf(data) !== "waiting";
    this.query().then((data) => isExact(data) && this.take(data), console.error);
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
    if (view !== "signed-out") this.refreshPage();
  }

  end() {
    this.isEnded = true;
    clearTimeout(this.pollTimer);
    this.view.showOffline(false);
  }

  // Polling: the second string.

  query() {
    return postJson(QUERY, { order_id: this.orderId }, POLL_LIMIT_SECONDS);
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

  // Leaving: closing loses nothing, the payment lives on the order page.

  leave() {
    if (this.isBusy || this.isLeaving) return;
    if (!this.orderId) return this.isPageStale ? location.reload() : this.view.close();
    if (!this.isOrderPage) return location.assign(`${this.orderUrl}#order`);
    this.view.close();
    this.refreshPage();
  }

  /** Bring the order page behind a closed dialog up to date, without opening the dialog again. */
  refreshPage() {
    if (this.dialog.open || !this.isOrderPage) return;
    if (!this.isEnded && this.wasLiveAtLoad) return;
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
