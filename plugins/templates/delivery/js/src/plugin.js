// The delivery {{id}}: opens an alert at an API for what went wrong, and closes it when it is over.
//
// The server calls `deliver` once per attempt. Where it throws a Failure of the kind `transient` or `rate-limit`, the server
// tries again, later and later, for three days. An attempt may be repeated: the API gets the delivery's id as a key.

import { check, defineDelivery, log, send } from "./orchestrator.js";

const API = "https://alerts.example.com/alerts";

function deliver(event) {
  const isOver = event.kind === "recovery" || event.kind === "success";
  const alert = {
    // The same for errors that follow one another, and for the recovery that ends them.
    key: event.incident,
    state: isOver ? "closed" : "open",
    team: event.config.team,
    title: `${event.orchestration.name}: ${event.kind}`,
    details: event.failedTasks.map((task) => `${task.component}: ${task.message}`),
    url: event.job.url,
  };
  const headers = { "Idempotency-Key": event.deliveryId };
  const answer = check(send("POST", API, { headers, json: alert })).json();
  log("info", `alert ${answer.id} is ${alert.state}`);
  return `alert ${answer.id}`;
}

export const delivery = defineDelivery(deliver);
