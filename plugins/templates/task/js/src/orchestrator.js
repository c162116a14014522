// The kit: a task type from three functions over a state of plain JSON. See plugin.js for its use.
//
// It turns the contract's shapes (wit/) into JavaScript's: parameters, configuration, state and responses are values, not
// texts. What tasks and deliveries share is in host.js.

import checkpoints from "orchestrator:host/checkpoints@0.1.0";
import { Failure, call, decode, encode, parse } from "./host.js";

export { Failure, HttpError, log, send, sign } from "./host.js";

// The number of the layout in which states are kept.
const FORMAT = 1;

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

/** The exports of a task type, from its steps. One that never waits needs `start` only. */
export function defineTask({ start, resume, cancel = () => {} }) {
  const begin = (context) => {
    const step = start(context);
    if (step?.tag === "wait" && resume === undefined) {
      throw new Failure("internal", "NOT_RESUMABLE", "resume is missing: start answered wait, so defineTask needs resume, too");
    }
    return step;
  };
  return {
    task: { start: (context) => call(() => begin(readable(context))) },
    resumable: {
      resume: (context, state) => call(() => resume(readable(context), unpack(state))),
      cancel: (context, state) => call(() => void cancel(readable(context), unpack(state))),
    },
  };
}

function ended(verdict, response, summary) {
  return { tag: "done", val: { verdict, response: JSON.stringify(response ?? null), summary, extra: [] } };
}

// Ids are small: a number will do.
function readable(context) {
  const [orchestrationId, jobId] = [Number(context.orchestrationId), Number(context.jobId)];
  context = { ...context, orchestrationId, jobId };
  return { ...context, parameters: parse("parameters", context.parameters), config: parse("config", context.config) };
}

function pack(state) {
  return { format: FORMAT, data: encode(JSON.stringify(state)) };
}

function unpack(state) {
  if (state.format !== FORMAT) throw new Failure("internal", "BAD_STATE", `the state has format ${state.format}`);
  return parse("state", decode(state.data));
}
