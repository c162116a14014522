// The kit: a task type from three functions over a state of plain JSON. See plugin.js for its use.
//
// It turns the contract's shapes (wit/) into JavaScript's: parameters, configuration, state and responses are values, not
// texts, and a request is one call.

import checkpoints from "orchestrator:host/checkpoints@0.1.0";
import http from "orchestrator:host/http@0.1.0";
import hostLog from "orchestrator:host/log@0.1.0";

// The number of the layout in which states are kept.
const FORMAT = 1;

/** Ends the task in error. `kind` is one of config, auth, not-found, rate-limit, transient, remote, internal. */
export class Failure extends Error {
  constructor(kind, code, message) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** There is no answer to a request. `wasSent` is false where it certainly did not reach the other side. */
export class HttpError extends Failure {
  constructor(tag, message) {
    super(tag === "denied" || tag === "invalid" ? "config" : "transient", "HTTP_" + tag.toUpperCase().replaceAll("-", "_"), message);
    this.wasSent = tag === "no-answer" || tag === "too-large";
  }
}

/** One line of the run's log: debug, info, warning or error. */
export function log(level, message) {
  hostLog.write(level, message);
}

/** The task ended well, with this response. */
export function done(response = null) {
  return ended("success", response, "");
}

/** The task ended, but did not do what it should; the sentence says why. */
export function error(response, why) {
  return ended("error", response, why);
}

/** Go on from `state` (any JSON) after so many seconds; the sentence says what is being waited for. */
export function wait(state, seconds, message) {
  const progress = { percent: null, message };
  return { tag: "wait", val: { state: pack(state), afterMs: Math.round(seconds * 1000), progress, response: null, extra: [] } };
}

/** Makes `state` durable in the middle of a step: after a crash the next step begins from here. */
export function save(state) {
  try {
    checkpoints.save(pack(state));
  } catch (problem) {
    const { tag } = problem?.payload ?? problem;
    throw new Failure("transient", "NOT_SAVED", `the state was not saved: ${tag ?? problem}`);
  }
}

/** Sends one request: `options` are headers, body (text or bytes) or json, and timeoutMs. Throws an HttpError. */
export function send(method, url, { headers = {}, body = "", json, timeoutMs = null } = {}) {
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
    const { tag, val = "the answer is too large" } = problem?.payload ?? problem;
    if (tag === undefined) throw problem;
    throw new HttpError(tag, val);
  }
  const text = () => decode(response.body);
  return { ...response, text, json: () => parse("the answer", text()) };
}

/** The exports of a task type, from its steps. */
export function defineTask({ start, resume, cancel = () => {} }) {
  return {
    task: { start: (context) => step(() => start(readable(context))) },
    resumable: {
      resume: (context, state) => step(() => resume(readable(context), unpack(state))),
      cancel: (context, state) => step(() => void cancel(readable(context), unpack(state))),
    },
  };
}

function ended(verdict, response, summary) {
  return { tag: "done", val: { verdict, response: JSON.stringify(response ?? null), summary, extra: [] } };
}

function readable(context) {
  return { ...context, parameters: parse("parameters", context.parameters), config: parse("config", context.config) };
}

// What is thrown becomes the contract's failure; anything but a Failure is a fault of the plugin.
function step(run) {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof Failure)) log("error", `${problem}\n${problem?.stack ?? ""}`);
    const { kind = "internal", code = "PLUGIN_FAILURE" } = problem instanceof Failure ? problem : {};
    throw { kind, code, message: String(problem?.message ?? problem), retryAfterMs: null, extra: [] };
  }
}

function pack(state) {
  return { format: FORMAT, data: encode(JSON.stringify(state)) };
}

function unpack(state) {
  if (state.format !== FORMAT) throw new Failure("internal", "BAD_STATE", `the state has format ${state.format}`);
  return parse("state", decode(state.data));
}

function parse(what, text) {
  try {
    return JSON.parse(text);
  } catch (problem) {
    throw new Failure("remote", "BAD_JSON", `${what} is no JSON: ${problem.message}`);
  }
}

// UTF-8, which this engine has no object for.
function encode(text) {
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

function decode(bytes) {
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
