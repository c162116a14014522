// One job: when its phases and tasks ran, what they were asked and answered, and its log, live.

import { call, follow, get } from "../api.js";
import { log } from "../components/log.js";
import { attempt, say } from "../components/message.js";
import { status } from "../components/status.js";
import { timeline } from "../components/timeline.js";
import { fill, h } from "../element.js";
import { dayOf, lengthOf, secondsBetween, timeOf, wholeOf } from "../format.js";

const BETWEEN_LOOKS = 400;

export async function job(page, { names: [id], store, signal }) {
  let found = await get(`jobs/${id}`);
  if (signal.aborted) return;
  const opened = new Set((found.results?.tasks ?? []).filter((entry) => entry.status === "error").slice(0, 1).map((entry) => entry.id));
  const head = h("div", { class: "page" });
  const times = h("section", { class: "card" });
  const lines = log();
  fill(page, head, times, h("section", { class: "card" }, h("h2", {}, "Log"), lines.element));

  const draw = () => {
    fill(head, title(found, store, () => look()));
    const focused = document.activeElement?.dataset?.task;
    fill(times, h("h2", {}, "Timeline"), found.tasks.length === 0 ? h("p", { class: "quiet" }, "This job has no tasks.") : timeline(found, opened));
    if (focused) times.querySelector(`[data-task="${CSS.escape(focused)}"]`)?.focus();
  };
  const look = async () => {
    const seen = await get(`jobs/${id}`).catch(() => null);
    if (!seen || signal.aborted) return;
    found = seen;
    draw();
  };
  let pending = 0;
  const lookSoon = () => {
    pending ||= setTimeout(() => { pending = 0; look(); }, BETWEEN_LOOKS);
  };
  const take = (event) => {
    lines.add(event);
    if (!found.isFinished) lookSoon();
  };

  draw();
  const close = follow(`jobs/${id}/events`, { job: take, task: take, log: (event) => lines.add(event), limit: (event) => lines.add(event), end: lookSoon });
  // Bars grow and lengths count on by themselves.
  const timer = setInterval(() => { if (!found.isFinished && found.startTime && !page.querySelector(".detail:not([hidden]) :focus")) draw(); }, 1000);
  signal.addEventListener("abort", () => { close(); clearInterval(timer); clearTimeout(pending); });
}

function title(job, store, look) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const name = store.name(job.orchestrationId);
  const failed = (job.results?.tasks ?? []).some((entry) => entry.status !== "success");
  const again = (tasks, text, hint) => h("button", { type: "button", title: hint, onclick: (event) => attempt(event.currentTarget, () => run(job, tasks)) }, text);
  const cancel = async () => {
    await call("DELETE", `jobs/${job.id}`);
    say("Cancelled.");
    await look();
  };
  return [
    h("p", { class: "crumbs" }, h("a", { href: "#/orchestrations" }, "Orchestrations"), " / ", h("a", { href: `#/orchestrations/${job.orchestrationId}` }, name)),
    h("div", { class: "head" },
      h("div", { class: "row" }, h("h1", {}, `Job ${job.id}`), status(job.status)),
      job.status === "waiting" && h("button", { type: "button", class: "danger", onclick: (event) => attempt(event.currentTarget, cancel) }, "Cancel"),
      job.isFinished && failed && again(fromFailed(job), "Run again from failed", "Leaves out the tasks that succeeded"),
      job.isFinished && again(job.tasks, "Run again")),
    h("dl", { class: "facts" },
      fact("Started by", { manually: "hand", scheduler: "schedule", trigger: "trigger" }[job.initializedBy] ?? job.initializedBy, job.initiatorToken ? ` · ${job.initiatorToken.description}` : ""),
      fact("Created", h("time", { datetime: job.createdTime, title: wholeOf(job.createdTime) }, dayOf(job.createdTime))),
      fact("Started", timeOf(job.startTime)),
      fact("Ended", timeOf(job.endTime)),
      fact("Ran for", lengthOf(secondsBetween(job.startTime, job.endTime)))),
  ];
}

/** What did not succeed, and what was not reached. */
function fromFailed(job) {
  const done = new Set(job.results.tasks.filter((entry) => entry.status === "success").map((entry) => entry.id));
  return job.tasks.map((task) => ({ ...task, active: task.active && !done.has(task.id) }));
}

async function run(job, tasks) {
  const made = await call("POST", `orchestrations/${job.orchestrationId}/jobs`, { tasks });
  location.hash = `#/jobs/${made.id}`;
}
