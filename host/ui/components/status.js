// A status in words and colour, and the last runs as a strip.

import { h } from "../element.js";
import { dayOf, lengthOf, secondsBetween } from "../format.js";

export function status(name) {
  return h("span", { class: "status", data: { status: name } }, name);
}

/** How many runs a strip shows. */
export const RUNS = 20;

/** The oldest first; each is as high as it ran long, against the others. Places of runs that never were are marked. */
export function strip(jobs) {
  const lengths = jobs.map((job) => secondsBetween(job.startTime, job.endTime) ?? 0);
  const longest = Math.max(...lengths, 1);
  const bars = jobs.slice(0, RUNS).map((job, at) => {
    const title = `Job ${job.id}: ${job.status}, ${dayOf(job.startTime ?? job.createdTime)}, ${lengthOf(lengths[at])}`;
    const bar = h("a", { href: `#/jobs/${job.id}`, title, "aria-label": title, data: { status: job.status } });
    bar.style.setProperty("--height", `${Math.round(35 + (65 * lengths[at]) / longest)}%`);
    return bar;
  });
  const empty = Array.from({ length: RUNS - bars.length }, () => h("i"));
  return h("span", { class: "strip" }, empty, bars.reverse());
}
