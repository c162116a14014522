// The jobs of the project, or of one orchestration, newest first, and those among them that somebody looks for.

import { callForPage } from "../api.js";
import { listedProgress, progress } from "../components/progress.js";
import { status } from "../components/status.js";
import { field, fill, h, options, redraw } from "../element.js";
import { by, lengthOf, secondsBetween, shortOf, wholeOf } from "../format.js";
import { note } from "../router.js";

const SIZE = 50;
/** A page looks at a part of a long history only: so many parts are asked for in a row before somebody is asked. */
const MOST_PARTS = 10;
const STATUSES = ["waiting", "processing", "success", "warning", "error", "cancelled", "terminated"];
const CHOICES = [["", "Any"], ["error,warning,cancelled,terminated", "Not successful"], ["waiting,processing", "Not ended"], ...STATUSES.map((one) => [one, one])];

export async function history(page, { names: [id], query, store, signal }) {
  const path = id ? `/orchestrations/${id}/jobs` : "/jobs";
  let jobs = [];
  let next = null;
  let reading = 0;
  const choose = (name, pairs) => h("select", { name, onchange: () => read() }, options(pairs, query.get(name) ?? ""));
  const input = (name, type, more = {}) => h("input", { name, type, value: query.get(name) ?? "", ...more, onchange: () => read() });
  const controls = {
    status: choose("status", CHOICES),
    by: choose("by", [["", "Anybody"], ["scheduler", "Schedule"], ["manually", "Hand"], ["trigger", "Trigger"]]),
    since: input("since", "date"),
    until: input("until", "date"),
    longer: input("longer", "number", { min: 0, placeholder: "any" }),
    shorter: input("shorter", "number", { min: 0, placeholder: "any" }),
  };
  const body = h("tbody");
  const foot = h("div");
  const values = () => Object.fromEntries(Object.entries(controls).map(([name, control]) => [name, control.value]));
  const asked = (before) => {
    const wanted = values();
    const time = (text) => (text ? new Date(text).toISOString() : "");
    const pairs = { limit: SIZE, before, status: wanted.status, initializedBy: wanted.by, minSeconds: wanted.longer, maxSeconds: wanted.shorter,
      since: time(wanted.since && `${wanted.since}T00:00`), until: time(wanted.until && `${wanted.until}T23:59:59.999`), orchestrationId: id ?? "" };
    return new URLSearchParams(Object.entries(pairs).filter(([, value]) => value !== "" && value !== null)).toString();
  };
  const draw = () => {
    redraw(body, jobs.map((job) => row(job, !id)));
    const isFiltered = Object.values(values()).some(Boolean);
    redraw(foot,
      jobs.length === 0 && h("p", { class: "empty" }, next ? "Nothing so far; there is more to look through." : isFiltered ? "Nothing matches." : "Nothing has run yet."),
      next && h("div", { class: "pager" }, h("button", { type: "button", onclick: () => more() }, "Older jobs")));
  };
  /** Fills one page, of however many parts. */
  const readPage = async (before) => {
    const found = [];
    let to = before;
    for (let part = 0; part < MOST_PARTS && found.length < SIZE && (part === 0 || to); part += 1) {
      const answered = await callForPage("GET", `jobs?${asked(to)}`);
      found.push(...answered.answer);
      to = answered.next;
    }
    return [found, to];
  };
  const read = async () => {
    reading += 1;
    const mine = reading;
    const [found, to] = await readPage(null);
    if (signal.aborted || mine !== reading) return;
    [jobs, next] = [found, to];
    draw();
    note(path, Object.entries(values()));
  };
  const more = async () => {
    const [found, to] = await readPage(next);
    if (signal.aborted) return;
    jobs.push(...found);
    next = to;
    draw();
  };
  const clear = () => {
    for (const control of Object.values(controls)) control.value = "";
    read();
  };

  fill(page,
    id && h("p", { class: "crumbs" }, h("a", { href: "#/orchestrations" }, "Orchestrations"), " / ", h("a", { href: `#/orchestrations/${id}` }, store.name(Number(id)))),
    h("div", { class: "head" }, h("h1", {}, "History"), h("button", { type: "button", class: "small", onclick: clear }, "Clear filters")),
    h("section", { class: "card" },
      h("div", { class: "filters" }, field("Status", controls.status), field("Started by", controls.by), field("From", controls.since), field("To", controls.until), field("Seconds at least", controls.longer), field("Seconds at most", controls.shorter)),
      h("div", { class: "table" }, h("table", {}, heads(!id), body)),
      foot));
  await read();
  let pending = 0;
  store.listen((event) => {
    // Somebody who has gone back in time is left there.
    if (!event || jobs.length > SIZE || (id && event.orchestrationId !== Number(id))) return;
    pending ||= setTimeout(() => { pending = 0; read(); }, 1000);
  }, signal);
  signal.addEventListener("abort", () => clearTimeout(pending));
}

/** Of a table of jobs, of one orchestration or of several. */
export function heads(areOfSeveral) {
  const all = [["Job", "tight"], areOfSeveral && ["Orchestration", ""], ["Status", ""], ["Tasks", "wide"], ["Created", ""], ["Ran for", "number"], ["Started by", "wide"]].filter(Boolean);
  return h("thead", {}, h("tr", {}, all.map(([text, kind]) => h("th", { scope: "col", class: kind }, text))));
}

export function row(job, isOfSeveral) {
  const { label, share } = listedProgress(job);
  return h("tr", {},
    h("td", { class: "tight" }, h("a", { href: `#/jobs/${job.id}` }, `Job ${job.id}`)),
    isOfSeveral && h("td", { class: "name" }, h("a", { class: "clamp", href: `#/orchestrations/${job.orchestrationId}`, title: job.orchestrationName }, job.orchestrationName)),
    h("td", { class: "tight" }, status(job.status)),
    h("td", { class: "tight wide" }, job.isFinished || job.status === "waiting" ? h("small", {}, label) : progress(share, label)),
    h("td", { class: "tight", title: wholeOf(job.createdTime) }, shortOf(job.createdTime)),
    h("td", { class: "tight number" }, lengthOf(secondsBetween(job.startTime, job.endTime))),
    h("td", { class: "wide" }, by(job), job.initiatorToken && h("small", {}, ` ${job.initiatorToken.description}`)));
}
