// The kit: a delivery from one function. See plugin.js for its use.
//
// It turns the contract's shapes (wit/) into JavaScript's: the event's kind is a text, its configuration and parameters are
// values. What tasks and deliveries share is in host.js.

import { Failure, call, parse } from "./host.js";

export { Failure, HttpError, log, send, sign } from "./host.js";

/** The exports of a delivery: `deliver(event)` answers with a receipt (a text) or nothing, or throws a Failure. */
export function defineDelivery(deliver) {
  return { deliver: (event) => call(() => deliver(readable(event)) ?? null) };
}

/**
 * What a receiver's answer means: 2xx is delivered, 410 says that the receiver is gone for good, 429 and 503 ask to come back
 * later, and anything else may get better.
 */
export function check(response) {
  const { status } = response;
  if (status >= 200 && status < 300) return response;
  const message = `the receiver answered ${status}`;
  if (status === 410) throw new Failure("not-found", "GONE", message);
  if (status === 429 || status === 503) {
    const seconds = Number(response.header("retry-after"));
    throw new Failure("rate-limit", "RECEIVER_BUSY", message, seconds > 0 ? Math.round(seconds * 1000) : null);
  }
  throw new Failure("transient", "RECEIVER_FAILED", message);
}

// Ids and seconds are small: numbers will do.
function readable(event) {
  const { orchestration, job } = event;
  const number = (value) => (value === undefined || value === null ? null : Number(value));
  return {
    ...event,
    kind: event.kind.tag === "other" ? event.kind.val : event.kind.tag,
    config: parse("config", event.config),
    parameters: parse("parameters", event.parameters),
    orchestration: { ...orchestration, id: Number(orchestration.id) },
    job: { ...job, id: Number(job.id) },
    expectedSeconds: number(event.expectedSeconds),
    actualSeconds: number(event.actualSeconds),
  };
}
