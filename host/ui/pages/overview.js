// What asks for somebody, what runs now, what ran last, and what comes in the next hours.

import { get } from "../api.js";
import { listedProgress, progress } from "../components/progress.js";
import { status } from "../components/status.js";
import { fill, h, redraw } from "../element.js";
import { by, lengthOf, secondsBetween, shortOf, untilOf, wholeOf } from "../format.js";

const MOST_SHOWN = 8;
const MOST_ALARMS = 12;
const HOURS = 6;
const BETWEEN_LOOKS = 700;
/** A schedule that is later than this is overdue, and a job that waits for longer is told of, in milliseconds. */
const OVERDUE = 120_000;
const WAITS_LONG = 600_000;

export async function overview(page, { store, signal }) {
  let open = [];
  let recent = [];
  let failures = [];
  const reasons = new Map();
  const body = h("div", { class: "page" });
  fill(page, h("h1", {}, "Overview"), body);
  const failed = () => failedOf(failures, store.orchestrations);
  const draw = () => {
    const all = [...store.orchestrations.values()];
    if (all.length === 0 && recent.length === 0) return fill(body, welcome());
    return redraw(body, contents(all, { open, recent, failures: failed(), reasons }));
  };
  const look = async () => {
    const today = new Date(new Date().setHours(0, 0, 0, 0)).toISOString();
    [open, recent, failures] = await Promise.all([get("jobs?status=processing,waiting&limit=100"), get("jobs?limit=12"), get(`jobs?status=error,warning,terminated&since=${today}&limit=200`)]);
    if (signal.aborted) return;
    draw();
    const unknown = failed().map(({ job }) => job.id).filter((id) => !reasons.has(id)).slice(0, MOST_ALARMS);
    await Promise.all(unknown.map(async (id) => reasons.set(id, reasonOf(await get(`jobs/${id}`).catch(() => null)))));
    if (unknown.length > 0 && !signal.aborted) draw();
  };
  await look();
  // Many events in a row are looked at once.
  let pending = 0;
  store.listen(() => {
    pending ||= setTimeout(async () => {
      await look().catch(() => {});
      pending = 0;
    }, BETWEEN_LOOKS);
  }, signal);
  const timer = setInterval(() => tick(body), 1000);
  // What becomes overdue does so without an event.
  const slow = setInterval(draw, 15_000);
  signal.addEventListener("abort", () => { clearInterval(timer); clearInterval(slow); clearTimeout(pending); });
}

/** The latest failure of each orchestration, and how many there were, unless a later run of it succeeded. */
function failedOf(failures, orchestrations) {
  const of = new Map();
  for (const job of failures) {
    const found = of.get(job.orchestrationId);
    if (found) found.times += 1;
    else of.set(job.orchestrationId, { job, times: 1 });
  }
  return [...of.values()].filter(({ job }) => {
    const last = orchestrations.get(job.orchestrationId)?.lastExecutedJob;
    return !(last && last.id > job.id && last.status === "success");
  });
}

/** What went wrong first. */
function reasonOf(job) {
  const failed = (job?.results?.tasks ?? []).find((entry) => !["success", "processing"].includes(entry.status));
  return failed ? `${failed.component ?? failed.componentUrl}: ${failed.message ?? failed.code ?? failed.status}` : "";
}

function contents(all, { open, recent, failures, reasons }) {
  const now = Date.now();
  const running = open.filter((job) => job.status === "processing");
  const late = open.filter((job) => job.status === "waiting" && new Date(job.createdTime) < now - WAITS_LONG);
  const timed = all.filter((one) => one.nextScheduledTime).map((one) => ({ one, at: new Date(one.nextScheduledTime) }));
  timed.sort((a, b) => a.at - b.at);
  const overdue = timed.filter(({ at }) => at < now - OVERDUE);
  const due = timed.filter(({ at }) => at >= now - OVERDUE && at < now + HOURS * 3_600_000);
  const waiting = open.length - running.length;
  return [
    h("div", { class: "counts" },
      count("#/jobs?status=processing", waiting > 0 ? `running now · ${waiting} waiting` : "running now", running.length, "running"),
      count("#/jobs?status=error%2Cwarning%2Ccancelled%2Cterminated", "failed today, not recovered", failures.length, failures.length > 0 && "bad"),
      count("#/orchestrations?sort=next", `due in the next ${HOURS} hours`, due.length),
      count("#/orchestrations?sort=next", "overdue or waiting long", overdue.length + late.length, overdue.length + late.length > 0 && "bad")),
    h("div", { class: "beside" },
      h("div", {},
        overdue.length + late.length > 0 && alarms("Overdue", [
          ...overdue.map(({ one, at }) => [link(`#/orchestrations/${one.id}`, one.name), h("small", {}, `should have started ${untilOf(at)}`)]),
          ...late.map((job) => [link(`#/jobs/${job.id}`, job.orchestrationName), h("small", {}, `waits too long: for ${lengthOf(secondsBetween(job.createdTime))}`)])]),
        list("Running now", running, (job) => runningOf(job), "Nothing runs at the moment.", "run"),
        list("Last jobs", recent, (job) => [link(`#/jobs/${job.id}`, job.orchestrationName), status(job.status), h("small", { class: "wide by" }, `by ${by(job)}`), h("small", { class: "wide when", title: wholeOf(job.createdTime) }, job.startTime ? lengthOf(secondsBetween(job.startTime, job.endTime)) : "–"), h("small", { class: "when", title: wholeOf(job.createdTime) }, shortOf(job.createdTime))], "Nothing has run yet.", "", h("a", { href: "#/jobs" }, "All jobs"), 12)),
      h("div", {},
        failures.length > 0
          ? alarms("Failed today", failures.map(({ job, times }) => [link(`#/jobs/${job.id}`, job.orchestrationName), times > 1 && h("small", { title: `It failed ${times} times today` }, `×${times}`), status(job.status), h("small", { class: "when", title: wholeOf(job.endTime) }, untilOf(job.endTime)), reasons.get(job.id) && h("span", { class: "said" }, reasons.get(job.id))]))
          : list("Failed today", [], null, "Nothing has failed today, or all has recovered."),
        list(`Due in the next ${HOURS} hours`, due, ({ one, at }) => [link(`#/orchestrations/${one.id}`, one.name), h("small", { title: wholeOf(at) }, shortOf(at).replace(/:00$/, "")), h("small", { class: "when", data: { until: one.nextScheduledTime } }, untilOf(at))], "Nothing is due."))),
  ];
}

function runningOf(job) {
  const { label, share } = listedProgress(job);
  return [link(`#/jobs/${job.id}`, job.orchestrationName), h("small", {}, `${label} · `, h("span", { data: { since: job.startTime } }, lengthOf(secondsBetween(job.startTime)))), progress(share, `${job.orchestrationName}: ${label}`)];
}

function welcome() {
  return h("div", { class: "card empty" }, h("p", {}, "This project has no orchestrations yet."),
    h("p", {}, "An orchestration is a list of tasks, a schedule, and who is told when something goes wrong."),
    h("p", {}, h("a", { class: "button primary", href: "#/orchestrations/new" }, "New orchestration")));
}

function count(href, text, number, kind) {
  return h("a", { class: "card count", href, data: kind ? { kind } : {} }, h("strong", {}, number.toLocaleString()), text);
}

const link = (href, text) => h("a", { href, title: text }, text);

function list(title, items, print, nothing, kind = "", more = null, most = MOST_SHOWN) {
  const shown = items.slice(0, most);
  return h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, title), more),
    items.length === 0 ? h("p", { class: "quiet" }, nothing) : h("ul", { class: "list" }, shown.map((item) => h("li", { class: kind || null }, print(item))),
      items.length > most && h("li", { class: "quiet" }, `and ${(items.length - most).toLocaleString()} more`)));
}

function alarms(title, items) {
  return h("section", { class: "card alarms", role: "region", "aria-label": title }, h("h2", {}, title),
    h("ul", { class: "list" }, items.slice(0, MOST_ALARMS).map((item) => h("li", {}, item)),
      items.length > MOST_ALARMS && h("li", { class: "quiet" }, `and ${(items.length - MOST_ALARMS).toLocaleString()} more`)));
}

function tick(body) {
  for (const element of body.querySelectorAll("[data-since]")) element.textContent = lengthOf(secondsBetween(element.dataset.since));
  for (const element of body.querySelectorAll("[data-until]")) element.textContent = untilOf(element.dataset.until);
}
