// Phases and tasks of a job along its time. A task opens to show what it was asked and what it answered.

import { fill, h } from "../element.js";
import { lengthOf, secondsBetween, taskName, timeOf } from "../format.js";
import { status } from "./status.js";

/** Consecutive tasks of the same phase belong together. */
export function phasesOf(tasks) {
  const phases = [];
  for (const task of tasks) {
    const last = phases.at(-1);
    if (last && task.phase !== null && task.phase === last.name) last.tasks.push(task);
    else phases.push({ name: task.phase, tasks: [task] });
  }
  return phases;
}

export function timeline(job, opened) {
  const entries = new Map((job.results?.tasks ?? []).map((entry) => [entry.id, entry]));
  const start = new Date(job.startTime ?? job.createdTime).getTime();
  const end = Math.max(job.endTime ? new Date(job.endTime).getTime() : Date.now(), start + 1000);
  const place = (time) => (100 * (Math.min(Math.max(time, start), end) - start)) / (end - start);
  const phases = phasesOf(job.tasks).map((phase, at) => h("div", { class: "phase" },
    h("h3", {}, phase.name === null ? `Step ${at + 1}` : `Phase ${phase.name}`),
    phase.tasks.map((task) => row(task, entries.get(task.id), job, place, opened))));
  return h("div", { class: "timeline" }, phases);
}

function row(task, entry, job, place, opened) {
  const nothing = !task.active ? "left out" : job.isFinished ? "not reached" : "to come";
  const track = h("span", { class: "track" });
  if (entry) {
    const from = place(new Date(entry.startTime).getTime());
    const to = place(entry.endTime ? new Date(entry.endTime).getTime() : Date.now());
    const bar = h("span", { class: "bar", data: { status: entry.status } });
    bar.style.setProperty("--start", `${from}%`);
    bar.style.setProperty("--length", `${to - from}%`);
    track.append(bar);
  }
  const detail = h("div", { class: "detail", hidden: !opened.has(task.id) });
  const show = () => fill(detail, details(task, entry));
  if (opened.has(task.id)) show();
  const button = h("button", {
    class: "task", type: "button", "aria-expanded": String(opened.has(task.id)), data: { task: task.id },
    onclick: () => {
      const opens = detail.hidden;
      if (opens) opened.add(task.id);
      else opened.delete(task.id);
      if (opens) show();
      detail.hidden = !opens;
      button.setAttribute("aria-expanded", String(opens));
    },
  },
    h("span", { class: "label", title: taskName(task) }, taskName(task), task.action && `/${task.action}`, h("small", { class: "quiet" }, ` ${task.id}`)),
    track,
    h("span", { class: "length" }, entry ? [status(entry.status), lengthOf(secondsBetween(entry.startTime, entry.endTime))] : nothing));
  return [button, detail];
}

function details(task, entry) {
  const fact = (name, value) => value && h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const json = (value) => h("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
  return [
    h("dl", { class: "facts" },
      fact("Task", h("code", {}, task.id)),
      fact("Action", task.action),
      fact("Started", entry && timeOf(entry.startTime)),
      fact("Ended", entry?.endTime && timeOf(entry.endTime)),
      fact("Time limit", task.timeoutMinutes && `${task.timeoutMinutes} min`),
      fact("Run", entry && h("code", {}, entry.runId)),
      fact("What went wrong", entry?.code)),
    entry?.message && h("p", { class: entry.status === "error" ? "" : "quiet" }, entry.message),
    h("div", { class: "columns" },
      h("div", { class: "field" }, h("h3", {}, "Request"), json(task.actionParameters)),
      h("div", { class: "field" }, h("h3", {}, "Response"), entry?.response === null || !entry ? h("p", { class: "quiet" }, "None.") : json(entry.response))),
  ];
}
