// The task type {{id}}: starts an export with one POST, then asks every half minute whether it is ready.
//
// Each function below is one step. Between two steps nothing of the task exists but its state: the server may have been
// restarted, or another one may go on. So a task never sleeps, it answers `wait`.

import { Failure, defineTask, done, error, log, send, wait } from "./orchestrator.js";

const API = "https://api.example.com/exports";

function start(context) {
  const { table } = context.parameters;
  if (typeof table !== "string") {
    throw new Failure("config", "BAD_PARAMETERS", "the parameter table is missing");
  }
  let response;
  try {
    // The same key in every attempt at this task: the export is started once, whatever happens.
    const headers = { "Idempotency-Key": context.idempotencyKey };
    response = send("POST", API, { headers, json: { table } });
  } catch (problem) {
    if (problem.wasSent === false) return later(problem.message);
    throw problem;
  }
  if (response.status === 429 || response.status === 503) return later("the API is busy");
  if (response.status >= 300) throw new Failure("remote", "REFUSED", `the API answered ${response.status}`);
  const { id } = response.json();
  log("info", `export ${id} of ${table} is running`);
  return wait({ export: id }, 10, `export ${id} is running`);
}

function resume(context, state) {
  // The API was busy, or away: nothing has begun.
  if (state.export === undefined) return start(context);
  let response;
  try {
    response = send("GET", `${API}/${state.export}`);
  } catch (problem) {
    // Asking again does no harm.
    return wait(state, 30, problem.message);
  }
  if (response.status !== 200) return wait(state, 30, `the API answered ${response.status}`);
  const answer = response.json();
  if (answer.status === "ready") return done({ export: state.export, rows: answer.rows });
  if (answer.status === "failed") return error(answer, `export ${state.export} failed`);
  return wait(state, 30, `export ${state.export} is running`);
}

// The task's time is up: whatever this answers, it has ended.
function cancel(context, state) {
  if (state.export !== undefined) send("DELETE", `${API}/${state.export}`);
}

function later(why) {
  return wait({}, 60, why);
}

export const { task, resumable } = defineTask({ start, resume, cancel });
