// The kit, what it has for tasks and deliveries alike: failures, log, requests, signatures.

import credentials from "orchestrator:host/credentials@0.1.0";
import hostLog from "orchestrator:host/log@0.1.0";

// Not there where plugin.toml does not ask for the capability http: `build` leaves it out of the world then.
const http = await import("orchestrator:host/http@0.1.0").then((found) => found.default, () => undefined);

/** Ends the task, or the attempt at a delivery. `kind` is one of config, auth, not-found, rate-limit, transient, remote, internal. */
export class Failure extends Error {
  constructor(kind, code, message, retryAfterMs = null) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** There is no answer to a request. `wasSent` is false where it certainly did not reach the other side. */
export class HttpError extends Failure {
  constructor(tag, message) {
    super(tag === "denied" || tag === "invalid" ? "config" : "transient", "HTTP_" + tag.toUpperCase().replaceAll("-", "_"), message);
    this.wasSent = tag === "no-answer" || tag === "too-large";
  }
}

/** One line of the log: debug, info, warning or error. */
export function log(level, message) {
  hostLog.write(level, message);
}

/** Sends one request: `options` are headers, body (text or bytes) or json, and timeoutMs. Throws an HttpError. */
export function send(method, url, { headers = {}, body = "", json, timeoutMs = null } = {}) {
  if (http === undefined) throw new Failure("config", "HTTP_DENIED", "plugin.toml does not ask for the capability http");
  const sent = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  if (json !== undefined) {
    body = JSON.stringify(json);
    sent.push(["Content-Type", "application/json"]);
  }
  const bytes = typeof body === "string" ? encode(body) : body;
  let response;
  try {
    response = http.send({ method, url, headers: sent, body: bytes, timeoutMs });
  } catch (problem) {
    const { tag, val } = problem?.payload ?? problem;
    if (tag === undefined) throw problem;
    throw new HttpError(tag, tag === "too-large" ? `the answer has more than ${val} bytes` : val);
  }
  const text = () => decode(response.body);
  const header = (name) => response.headers.find(([other]) => other === name.toLowerCase())?.[1];
  return { ...response, header, text, json: () => parse("the answer", text()) };
}

/** HMAC-SHA256 of a text or bytes under one of the project's credentials, which stays in the server: 32 bytes. */
export function sign(credential, message) {
  try {
    return credentials.sign(credential, typeof message === "string" ? encode(message) : message);
  } catch (problem) {
    const { tag } = problem?.payload ?? problem;
    if (tag === undefined) throw problem;
    throw new Failure("config", "NOT_SIGNED", `nothing was signed with the credential ${credential}: ${tag}`);
  }
}

// What is thrown becomes the contract's failure; anything but a Failure is a fault of the plugin.
export function call(run) {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof Failure)) log("error", `${problem}\n${problem?.stack ?? ""}`);
    const { kind = "internal", code = "PLUGIN_FAILURE", retryAfterMs = null } = problem instanceof Failure ? problem : {};
    throw { kind, code, message: String(problem?.message ?? problem), retryAfterMs, extra: [] };
  }
}

export function parse(what, text) {
  try {
    return JSON.parse(text);
  } catch (problem) {
    throw new Failure("remote", "BAD_JSON", `${what} is no JSON: ${problem.message}`);
  }
}

// UTF-8, which this engine has no object for.
export function encode(text) {
  const bytes = [];
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return new Uint8Array(bytes);
}

export function decode(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at];
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    let code = length === 1 ? first : first & (0x7f >> length);
    for (let next = 1; next < length; next += 1) code = (code << 6) | (bytes[at + next] & 0x3f);
    parts.push(code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd");
    at += length;
  }
  return parts.join("");
}
