/**
 * Payment news, pushed by the server over Socket.IO.
 *
 *   import { ws, WebSocketMessageType } from "/static/js/payments.js";
 *   const stop = ws.subscribe(WebSocketMessageType.PAYMENT_UPDATE, (update) => { ... });
 *
 * An update is {transaction_id, order_id, status, reason, receipt}. A signed-in browser hears of
 * its own payments; ws.follow(orderId) asks for one order by name. A page that signs in by token
 * and has no cookie says so first: ws.useToken(accessToken). Both names stand on window too, for
 * pages that do not use modules.
 */
const CLIENT = "../vendor/socket.io-client-4.8.4/socket.io.esm.min.js";

export const WebSocketMessageType = Object.freeze({
  PAYMENT_UPDATE: "payment_update",
  /** How money out stands, as staff alone hear it. */
  PAYOUT_UPDATE: "payout_update",
  /** Something is new in the back office: an empty object, once a second at most, to staff alone. */
  SHOP_CHANGED: "shop_changed",
});

const KNOWN_TYPES = new Set(Object.values(WebSocketMessageType));

class PaymentSocket {
  constructor() {
    this.listeners = new Map();
    this.followed = new Map();
    this.socket = null;
    this.opening = null;
    this.token = null;
  }

  /** Be whoever this access token says, now and after every reconnection; null is the cookie. */
  useToken(token) {
    this.token = token;
    if (this.socket) this.socket.disconnect().connect();
  }

  /** Call back with every message of a type; returns a function that ends it. */
  subscribe(type, callback) {
    if (!KNOWN_TYPES.has(type)) throw new TypeError(`Unknown message type: ${type}`);
    if (!this.listeners.has(type)) this.listeners.set(type, new Set());
    this.listeners.get(type).add(callback);
    this.open();
    return () => this.listeners.get(type).delete(callback);
  }

  /**
   * Ask for the news of one order, now and after every reconnection. Whenever the server has
   * begun to send it, onJoined is called: what happened before that moment was not sent.
   */
  follow(orderId, onJoined = () => {}) {
    if (this.followed.has(orderId)) return;
    this.followed.set(orderId, onJoined);
    this.open();
    if (this.socket && this.socket.connected) this.ask(orderId);
  }

  /** Load the client and connect, once. Without it a page still has its polls. */
  open() {
    if (!this.opening) {
      this.opening = import(CLIENT)
        .then(({ io }) => this.connect(io))
        .catch((error) => console.warn("Payment news cannot be pushed here:", error));
    }
    return this.opening;
  }

  connect(io) {
    // WebSocket only: long-polling would need sticky sessions as soon as there are two workers.
    this.socket = io({
      path: "/socket.io",
      transports: ["websocket"],
      auth: (send) => send(this.token ? { token: this.token } : {}),
    });
    this.socket.on("connect", () => [...this.followed.keys()].forEach((id) => this.ask(id)));
    KNOWN_TYPES.forEach((type) => this.socket.on(type, (message) => this.deliver(type, message)));
  }

  ask(orderId) {
    this.socket.emit("subscribe", { order_id: orderId }, (answer) => {
      if (answer && answer.ok) this.followed.get(orderId)();
      else console.warn("The server does not send news of this order.");
    });
  }

  deliver(type, message) {
    const callbacks = this.listeners.get(type) || new Set();
    callbacks.forEach((callback) => callback(message));
  }
}

export const ws = new PaymentSocket();

window.WebSocketMessageType = WebSocketMessageType;
window.ws = ws;
