// The jobs of one orchestration, filtered by status, initiator, time and length.

import { callForPage } from "../api.js";
import { pager } from "../components/pager.js";
import { status } from "../components/status.js";
import { field, fill, h, options } from "../element.js";
import { dayOf, lengthOf, secondsBetween, wholeOf } from "../format.js";
import { note } from "../router.js";

/** Jobs that are read at once: filters look among these. */
const READ = 500;
const SIZE = 50;
const STATUSES = ["waiting", "processing", "success", "warning", "error", "cancelled", "terminated"];

export async function history(page, { names: [id], query, store, signal }) {
  let part = 0;
  let offset = 0;
  let { answer: jobs, total } = await callForPage("GET", `orchestrations/${id}/jobs?limit=${READ}`);
  const choose = (name, pairs) => h("select", { name, onchange: () => { offset = 0; draw(); } }, options(pairs, query.get(name) ?? ""));
  const input = (name, type, more = {}) => h("input", { name, type, value: query.get(name) ?? "", ...more, onchange: () => { offset = 0; draw(); } });
  const controls = {
    status: choose("status", [["", "Any"], ...STATUSES.map((one) => [one, one])]),
    by: choose("by", [["", "Anybody"], ["scheduler", "Schedule"], ["manually", "Hand"], ["trigger", "Trigger"]]),
    since: input("since", "date"),
    until: input("until", "date"),
    longer: input("longer", "number", { min: 0, placeholder: "any" }),
  };
  const body = h("tbody");
  const foot = h("div");
  const values = () => Object.fromEntries(Object.entries(controls).map(([name, control]) => [name, control.value]));

  const draw = () => {
    const wanted = values();
    const since = wanted.since && new Date(`${wanted.since}T00:00`);
    const until = wanted.until && new Date(`${wanted.until}T23:59:59.999`);
    const found = jobs.filter((job) => (!wanted.status || job.status === wanted.status)
      && (!wanted.by || job.initializedBy === wanted.by)
      && (!since || new Date(job.createdTime) >= since)
      && (!until || new Date(job.createdTime) <= until)
      && (!wanted.longer || secondsBetween(job.startTime, job.endTime) >= Number(wanted.longer)));
    fill(body, found.slice(offset, offset + SIZE).map(row));
    fill(foot,
      found.length === 0 && h("p", { class: "empty" }, total === 0 ? "It has never run." : "Nothing matches."),
      pager(offset, SIZE, found.length, (to) => { offset = to; draw(); }),
      total > READ && h("div", { class: "row" },
        h("small", {}, `Filters look among jobs ${part + 1} to ${Math.min(part + READ, total)} of ${total}, newest first.`),
        h("button", { type: "button", disabled: part === 0, onclick: () => read(part - READ) }, "Newer"),
        h("button", { type: "button", disabled: part + READ >= total, onclick: () => read(part + READ) }, "Older")));
    note(`/orchestrations/${id}/jobs`, Object.entries(wanted));
  };
  const read = async (from) => {
    ({ answer: jobs, total } = await callForPage("GET", `orchestrations/${id}/jobs?limit=${READ}&offset=${from}`));
    part = from;
    if (!signal.aborted) draw();
  };

  fill(page,
    h("p", { class: "crumbs" }, h("a", { href: "#/orchestrations" }, "Orchestrations"), " / ", h("a", { href: `#/orchestrations/${id}` }, store.name(Number(id)))),
    h("h1", {}, "History"),
    h("section", { class: "card" },
      h("div", { class: "grid" }, field("Status", controls.status), field("Started by", controls.by), field("From", controls.since), field("To", controls.until), field("Seconds at least", controls.longer)),
      h("div", { class: "table" }, h("table", {}, heads(), body)),
      foot));
  draw();
  let pending = 0;
  store.listen((event) => {
    if (event?.orchestrationId === Number(id)) pending ||= setTimeout(() => { pending = 0; read(part); }, 1000);
  }, signal);
}

/** Of a table of jobs. */
export function heads() {
  const all = ["Job", "Status", "Created", "Ran for", "Started by"];
  return h("thead", {}, h("tr", {}, all.map((text, at) => h("th", { scope: "col", class: at === 4 && "wide" }, text))));
}

export function row(job) {
  return h("tr", {},
    h("td", { class: "tight" }, h("a", { href: `#/jobs/${job.id}` }, `Job ${job.id}`)),
    h("td", {}, status(job.status)),
    h("td", { title: wholeOf(job.createdTime) }, dayOf(job.createdTime)),
    h("td", {}, lengthOf(secondsBetween(job.startTime, job.endTime))),
    h("td", { class: "wide" }, { manually: "hand", scheduler: "schedule", trigger: "trigger" }[job.initializedBy], job.initiatorToken && h("small", {}, ` ${job.initiatorToken.description}`)));
}
