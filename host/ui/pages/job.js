// One job: how far it is, when its phases and tasks ran, what they were asked and answered, and its log, live.

import { call, follow, get } from "../api.js";
import { log } from "../components/log.js";
import { attempt, say } from "../components/message.js";
import { jobProgress, progress } from "../components/progress.js";
import { status } from "../components/status.js";
import { timeline } from "../components/timeline.js";
import { fill, h, redraw } from "../element.js";
import { by, dayOf, lengthOf, secondsBetween, timeOf, wholeOf } from "../format.js";

const BETWEEN_LOOKS = 400;

export async function job(page, { names: [id], store, signal }) {
  let found = await get(`jobs/${id}`);
  let used = new Map();
  const readUsage = async () => {
    const { tasks } = await get(`jobs/${id}/usage`);
    used = new Map(tasks.map((task) => [task.id, task]));
  };
  await readUsage();
  if (signal.aborted) return;
  const opened = new Set((found.results?.tasks ?? []).filter((entry) => entry.status === "error").slice(0, 1).map((entry) => entry.id));
  const head = h("div", { class: "page" });
  const times = h("section", { class: "card" });
  const lines = log(found.tasks);
  let tick = () => {};
  fill(page, head, times, lines.element);

  const draw = () => {
    redraw(head, title(found, store, () => look()));
    if (found.tasks.length === 0) return fill(times, h("h2", {}, "Timeline"), h("p", { class: "quiet" }, "This job has no tasks."));
    const made = timeline(found, opened, (task) => used.get(task));
    tick = made.tick;
    return redraw(times, h("h2", {}, "Timeline"), made.element);
  };
  const look = async () => {
    const seen = await get(`jobs/${id}`).catch(() => null);
    if (!seen || signal.aborted) return;
    found = seen;
    await readUsage().catch(() => {});
    if (!signal.aborted) draw();
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
  const timer = setInterval(() => {
    if (found.isFinished || !found.startTime) return;
    tick();
    const ran = head.querySelector("[data-ran]");
    if (ran) ran.textContent = lengthOf(secondsBetween(found.startTime));
  }, 1000);
  signal.addEventListener("abort", () => { close(); clearInterval(timer); clearTimeout(pending); });
}

function title(job, store, look) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const time = (text) => (text ? h("time", { datetime: text, title: wholeOf(text) }, timeOf(text)) : "–");
  const name = store.name(job.orchestrationId);
  const failed = (job.results?.tasks ?? []).some((entry) => entry.status !== "success" && entry.status !== "processing");
  const again = (tasks, text, hint, kind) => h("button", { type: "button", class: kind, title: hint, onclick: (event) => attempt(event.currentTarget, () => run(job, tasks)) }, text);
  const cancel = async () => {
    await call("DELETE", `jobs/${job.id}`);
    say("Cancelled.");
    await look();
  };
  const { all, ended, share } = jobProgress(job);
  const tasks = `${ended} of ${all} ${all === 1 ? "task" : "tasks"}`;
  return [
    h("p", { class: "crumbs" }, h("a", { href: "#/orchestrations" }, "Orchestrations"), " / ", h("a", { href: `#/orchestrations/${job.orchestrationId}` }, name), " / ", h("a", { href: `#/orchestrations/${job.orchestrationId}/jobs` }, "History")),
    h("div", { class: "head" },
      h("div", { class: "row" }, h("h1", {}, `Job ${job.id}`), status(job.status)),
      job.status === "waiting" && h("button", { type: "button", class: "danger", onclick: (event) => attempt(event.currentTarget, cancel) }, "Cancel"),
      job.isFinished && failed && again(fromFailed(job), "Run again from failed", "Leaves out the tasks that succeeded", "primary"),
      job.isFinished && again(job.tasks, "Run again")),
    h("dl", { class: "facts" },
      fact("Orchestration", h("a", { href: `#/orchestrations/${job.orchestrationId}` }, name)),
      fact("Started by", by(job), job.initiatorToken ? ` · ${job.initiatorToken.description}` : ""),
      fact("Created", h("time", { datetime: job.createdTime, title: wholeOf(job.createdTime) }, dayOf(job.createdTime))),
      fact("Started", time(job.startTime)),
      fact("Ended", time(job.endTime)),
      fact("Ran for", h("span", { data: { ran: "" } }, lengthOf(secondsBetween(job.startTime, job.endTime)))),
      fact("Progress", job.status === "waiting" ? "waits for its start" : tasks)),
    job.status === "processing" && all > 0 && progress(share === 0 ? null : share, tasks),
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
