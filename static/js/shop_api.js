/** Requests to the shop: every one has a limit, and every end has a name. */

/** The session ended; signing in again brings everything back. */
export class SignedOut extends Error {}

/** No answer that can be read came back, so what happened is not known. */
export class Unreached extends Error {}

/** The shop said no and why: message and code are the server's. */
export class Refused extends Error {
  constructor(body) {
    super(body.message);
    this.code = body.code;
    this.details = body.details || {};
  }
}

let clockSkewMs = 0;

/** The server's time in milliseconds: a phone's own clock is often minutes off. */
export function serverNow() {
  return Date.now() + clockSkewMs;
}

/** Post a form as a browser would, asking for JSON. Resolves to the answer's data. */
export function postForm(form, limitSeconds) {
  const body = new URLSearchParams(new FormData(form));
  return ask(form.action, { method: "POST", body }, limitSeconds);
}

/** Post JSON. Resolves to the answer's data. */
export function postJson(url, body, limitSeconds) {
  const headers = { "Content-Type": "application/json" };
  return ask(url, { method: "POST", body: JSON.stringify(body), headers }, limitSeconds);
}

/** Ask for JSON. Resolves to the answer's data. */
export function getJson(url, limitSeconds) {
  return ask(url, {}, limitSeconds);
}

async function ask(url, request, limitSeconds) {
  const response = await reach(url, request, limitSeconds);
  noteClock(response);
  if (response.status === 401 || new URL(response.url).pathname === "/sign-in") {
    throw new SignedOut();
  }
  const answer = await response.json().catch(() => {
    throw new Unreached(`unreadable answer, status ${response.status}`);
  });
  if (!answer.success) throw new Refused(answer);
  return answer.data;
}

async function reach(url, request, limitSeconds) {
  const stop = new AbortController();
  const limit = setTimeout(() => stop.abort(), limitSeconds * 1000);
  try {
    return await fetch(url, {
      ...request,
      headers: { Accept: "application/json", ...request.headers },
      credentials: "same-origin",
      signal: stop.signal,
    });
  } catch (error) {
    throw new Unreached(error.message);
  } finally {
    clearTimeout(limit);
  }
}

function noteClock(response) {
  const date = Date.parse(response.headers.get("Date") || "");
  if (date) clockSkewMs = date - Date.now();
}
