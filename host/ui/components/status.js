// A status in words and colour, and the last runs as a strip.

import { h } from "../element.js";
import { dayOf, lengthOf, secondsBetween } from "../format.js";

export function status(name) {
  return h("span", { class: "status", data: { status: name } }, name);
}

/** The oldest first; each is as high as it ran long, against the others. */
export function strip(jobs) {
  const lengths = jobs.map((job) => secondsBetween(job.startTime, job.endTime) ?? 0);
  const longest = Math.max(...lengths, 1);
  const bars = jobs.map((job, at) => {
    const title = `Job ${job.id}: ${job.status}, ${dayOf(job.startTime ?? job.createdTime)}, ${lengthOf(lengths[at])}`;
    const bar = h("a", { href: `#/jobs/${job.id}`, title, "aria-label": title, data: { status: job.status } });
    bar.style.setProperty("--height", `${Math.round(35 + (65 * lengths[at]) / longest)}%`);
    return bar;
  });
  return h("span", { class: "strip" }, bars.reverse());
}
