// What runs now, what failed today, what comes in the next hours, and what should have come and did not.

import { fill, h } from "../element.js";
import { dayOf, lengthOf, secondsBetween, timeOf, untilOf, wholeOf } from "../format.js";
import { status } from "../components/status.js";

const MOST_SHOWN = 12;
const HOURS = 6;
/** A schedule that is later than this is overdue, in milliseconds. */
const OVERDUE = 120_000;

export async function overview(page, { store, signal }) {
  const draw = () => fill(page, h("h1", {}, "Overview"), contents([...store.orchestrations.values()]));
  draw();
  // Many events in a row are drawn once.
  let pending = 0;
  store.listen(() => {
    pending ||= setTimeout(() => { pending = 0; if (!signal.aborted) draw(); }, 300);
  }, signal);
  const timer = setInterval(() => tick(page), 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function contents(all) {
  if (all.length === 0) {
    return h("div", { class: "card empty" }, h("p", {}, "This project has no orchestrations yet."),
      h("p", {}, h("a", { class: "button primary", href: "#/orchestrations/new" }, "New orchestration")));
  }
  const now = Date.now();
  const today = new Date().setHours(0, 0, 0, 0);
  const last = (one) => one.lastExecutedJob;
  const running = all.filter((one) => last(one) && !last(one).endTime);
  const failed = all.filter((one) => ["error", "terminated", "warning"].includes(last(one)?.status) && new Date(last(one).endTime) >= today);
  failed.sort((a, b) => last(b).endTime.localeCompare(last(a).endTime));
  const timed = all.filter((one) => one.nextScheduledTime).map((one) => ({ one, at: new Date(one.nextScheduledTime) }));
  timed.sort((a, b) => a.at - b.at);
  const overdue = timed.filter(({ at }) => at < now - OVERDUE);
  const due = timed.filter(({ at }) => at >= now - OVERDUE && at < now + HOURS * 3_600_000);
  const job = (one) => link(`#/jobs/${last(one).id}`, one.name);
  return [
    h("div", { class: "counts" },
      count("running now", running.length, "running"),
      count("failed or warned last, today", failed.length, failed.length > 0 && "bad"),
      count(`due in the next ${HOURS} hours`, due.length),
      count("overdue", overdue.length, overdue.length > 0 && "bad")),
    overdue.length > 0 && list("Overdue", overdue, ({ one, at }) => [link(`#/orchestrations/${one.id}`, one.name), h("small", {}, `should have started ${untilOf(at)}`)]),
    h("div", { class: "columns" },
      list("Running now", running, (one) => [job(one), status(last(one).status), h("small", { data: { since: last(one).startTime } }, lengthOf(secondsBetween(last(one).startTime)))], "Nothing runs at the moment."),
      list("Failed today", failed, (one) => [job(one), status(last(one).status), h("small", {}, timeOf(last(one).endTime))], "Nothing has failed today.")),
    list(`Due in the next ${HOURS} hours`, due, ({ one, at }) => [link(`#/orchestrations/${one.id}`, one.name), h("small", { title: wholeOf(at) }, dayOf(at)), h("small", {}, untilOf(at))], "Nothing is due."),
  ];
}

function count(text, number, kind) {
  return h("div", { class: "card count", data: kind ? { kind } : {} }, h("strong", {}, number), text);
}

const link = (href, text) => h("a", { href, title: text }, text);

function list(title, items, print, nothing) {
  const shown = items.slice(0, MOST_SHOWN);
  return h("section", { class: "card" }, h("h2", {}, title),
    items.length === 0 ? h("p", { class: "quiet" }, nothing) : h("ul", { class: "list" }, shown.map((item) => h("li", {}, print(item)))),
    items.length > MOST_SHOWN && h("p", { class: "quiet" }, `and ${items.length - MOST_SHOWN} more`));
}

function tick(page) {
  for (const element of page.querySelectorAll("[data-since]")) {
    element.textContent = lengthOf(secondsBetween(element.dataset.since));
  }
}
