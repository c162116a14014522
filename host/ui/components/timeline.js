// Phases and tasks of a job along its time. A task opens to show what it was asked, what it answered and what it used.

import { fill, h } from "../element.js";
import { bytesOf, lengthOf, secondsBetween, taskName, timeOf, wholeOf } from "../format.js";
import { progress, shareOf } from "./progress.js";
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

/** `opened` are the ids of tasks whose details are shown; `usage` finds what one has used, once that is known. */
export function timeline(job, opened, usage) {
  const entries = new Map((job.results?.tasks ?? []).map((entry) => [entry.id, entry]));
  const axis = h("div");
  const bars = [];
  const phases = phasesOf(job.tasks).map((phase, at) => h("div", { class: "phase" },
    h("h3", {}, phase.name === null ? `Step ${at + 1}` : `Phase ${phase.name}`),
    phase.tasks.map((task) => row(task, entries.get(task.id), job, opened, usage, bars))));
  const element = h("div", { class: "timeline" }, h("div", { class: "axis", "aria-hidden": "true" }, axis), phases);
  const tick = () => {
    const start = new Date(job.startTime ?? job.createdTime).getTime();
    const end = Math.max(job.endTime ? new Date(job.endTime).getTime() : job.startTime ? Date.now() : start, start + 1000);
    const place = (time) => (100 * (Math.min(Math.max(time, start), end) - start)) / (end - start);
    const marks = [0, 25, 50, 75, 100].map((at) => [at, lengthOf(((end - start) * at) / 100_000)]);
    // Of a short job only those that say something new.
    fill(axis, marks.filter(([, text], at) => at === 0 || text !== marks[at - 1][1]).map(mark));
    for (const { bar, length, entry } of bars) {
      const from = place(new Date(entry.startTime).getTime());
      bar.style.setProperty("--start", `${from}%`);
      bar.style.setProperty("--length", `${place(entry.endTime ? new Date(entry.endTime).getTime() : Date.now()) - from}%`);
      length.textContent = lengthOf(secondsBetween(entry.startTime, entry.endTime));
    }
  };
  tick();
  return { element, tick };
}

function mark([at, text]) {
  const made = h("span", { data: at === 100 ? { end: "" } : {} }, text);
  made.style.setProperty("--at", `${at}%`);
  return made;
}

function row(task, entry, job, opened, usage, bars) {
  const nothing = !task.active ? "left out" : job.isFinished ? "not reached" : "to come";
  const track = h("span", { class: "track" });
  const length = h("span", {});
  if (entry) {
    const bar = h("span", { class: "bar", data: { status: entry.status } });
    track.append(bar);
    bars.push({ bar, length, entry });
  }
  const detail = h("div", { class: "detail", hidden: !opened.has(task.id) });
  const show = () => fill(detail, details(task, entry, usage(task.id)));
  if (opened.has(task.id)) show();
  const share = shareOf(entry);
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
    h("span", { class: "label", title: `${taskName(task)}, task ${task.id}` }, taskName(task), task.action && `/${task.action}`, h("small", { class: "quiet" }, ` ${task.id}`)),
    track,
    h("span", { class: "length" }, entry ? [status(entry.status), share !== null && `${Math.round(100 * share)} %`, length] : nothing));
  return [button, detail];
}

function details(task, entry, used) {
  const fact = (name, value, title) => value && h("div", {}, h("dt", {}, name), h("dd", { title }, value));
  const json = (value, name) => h("pre", { tabindex: "0", role: "region", "aria-label": name }, JSON.stringify(value, null, 2));
  const share = shareOf(entry);
  return [
    h("dl", { class: "facts" },
      fact("Task", h("code", {}, task.id)),
      fact("Action", task.action),
      fact("Started", entry && timeOf(entry.startTime), entry && wholeOf(entry.startTime)),
      fact("Ended", entry?.endTime && timeOf(entry.endTime), wholeOf(entry?.endTime)),
      fact("Time limit", task.timeoutMinutes && `${task.timeoutMinutes} min`),
      fact("Run", entry && h("code", {}, entry.runId)),
      fact("Computing", used && `${used.cpuMilliseconds} ms`),
      fact("Sent", used && bytesOf(used.sentBytes)),
      fact("Received", used && bytesOf(used.receivedBytes)),
      fact("What went wrong", entry?.code && h("code", {}, entry.code))),
    entry?.status === "processing" && progress(share, share === null ? "It does not say how far it is" : "As the plugin says"),
    entry?.message && h("p", entry.status === "error" ? { class: "wrong" } : { class: "quiet" }, entry.message),
    h("div", { class: "columns" },
      h("div", { class: "field" }, h("h3", {}, "Request"), json(task.actionParameters, "Request")),
      h("div", { class: "field" }, h("h3", {}, "Response"), entry?.response === null || !entry ? h("p", { class: "quiet" }, entry?.status === "processing" ? "None yet." : "None.") : json(entry.response, "Response"))),
  ];
}
