// How far something is, as a bar: as far as it is known, and honest where it is not.

import { h } from "../element.js";

/** Of 0 to 1; `null` where nobody knows. */
export function progress(share, label, status) {
  const bar = h("span", { data: share === null ? { unknown: "" } : {} });
  if (share !== null) bar.style.setProperty("--length", `${Math.round(100 * share)}%`);
  const value = share === null ? {} : { "aria-valuenow": Math.round(100 * share) };
  return h("span", { class: "progress", role: "progressbar", "aria-label": label, title: label, "aria-valuemin": 0, "aria-valuemax": 100, data: status ? { status } : {}, ...value }, bar);
}

/** What a plugin that waits says of itself (`45 %: …`), of 0 to 1; `null` where it says nothing. */
export function shareOf(entry) {
  if (entry?.status !== "processing") return null;
  const found = /^(\d{1,3}) %: /.exec(entry.message ?? "");
  return found ? Math.min(100, Number(found[1])) / 100 : null;
}

/** How far a job is: the tasks that have ended, and what those that run say of themselves. */
export function jobProgress(job) {
  const entries = job.results?.tasks ?? [];
  const all = job.tasks.filter((task) => task.active).length;
  const ended = entries.filter((entry) => entry.status !== "processing").length;
  const begun = entries.reduce((sum, entry) => sum + (shareOf(entry) ?? 0), 0);
  return { all, ended, share: all === 0 ? 1 : (ended + begun) / all };
}

/** Of a job in a list, which brings only counts. */
export function listedProgress(job) {
  const { tasks, ended } = job.progress;
  const label = `${ended} of ${tasks} ${tasks === 1 ? "task" : "tasks"}`;
  if (job.status === "waiting") return { label, share: 0 };
  return { label, share: ended === 0 && tasks > 0 ? null : tasks === 0 ? 1 : ended / tasks };
}
