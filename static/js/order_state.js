/** What an answer of the shop says about an order, be it the page's own or a program's. */
import { serverNow } from "./shop_api.js";

/** Name the view for an answer's data, be it an order's state or a query's answer. */
export function viewOf(data) {
  const word = data.state || data.status;
  if (word === "paid" || word === "completed") return "completed";
  if (data.live || word === "waiting" || word === "unconfirmed") return "waiting";
  if (word === "review" || data.reason === "review") return "review";
  if (data.can_pay || data.can_retry) return "failed";
  if (word !== "pending") return "closed";
  // Not live, not to be paid again and not ended: a person is looking at it.
  return data.live === false ? "review" : "waiting";
}

/** What of an order's state is news to whoever looks at it. */
export function markOf(data) {
  const claim = data.claim ? data.claim.state : null;
  return JSON.stringify([data.state, data.transaction_id, data.due_cents, claim]);
}

/** Count by the server's own figure, or by its clock: a phone's clock is often minutes off. */
export function secondsLeft(data) {
  if (typeof data.seconds_left === "number") return data.seconds_left;
  return (Date.parse(data.prompt_expires_at) - serverNow()) / 1000;
}
