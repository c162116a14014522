// Who changed what, the newest first.

import { callForPage } from "../api.js";
import { pager } from "../components/pager.js";
import { fill, h } from "../element.js";
import { shortOf, wholeOf } from "../format.js";

const SIZE = 50;

export async function audit(page, { signal }) {
  const show = async (offset) => {
    const { answer: entries, total } = await callForPage("GET", `audit?limit=${SIZE}&offset=${offset}`);
    if (signal.aborted) return;
    fill(page, h("h1", {}, "Audit log"), h("section", { class: "card" }, h("div", { class: "table" }, h("table", {},
      h("thead", {}, h("tr", {}, ["When", "What", "Of", "By", "From", "Change"].map((text, at) => h("th", { scope: "col", class: at === 4 && "wide" }, text)))),
      h("tbody", {}, entries.map(row)))),
      entries.length === 0 && h("p", { class: "empty" }, "Nothing was changed yet."),
      pager(offset, SIZE, total, show)));
  };
  await show(0);
}

/** What the entry is of, and the way there. */
function whatOf({ action, subject }) {
  const [noun, verb] = action.split(".");
  const pages = { orchestration: "orchestrations", job: "jobs", plugin: "plugins" };
  if (!pages[noun] || verb === "delete") return subject;
  return h("a", { href: `#/${pages[noun]}/${encodeURIComponent(subject)}` }, subject);
}

function row(entry) {
  const changed = entry.before || entry.after;
  return h("tr", {},
    h("td", { class: "tight", title: wholeOf(entry.createdTime) }, shortOf(entry.createdTime)),
    h("td", { class: "tight" }, entry.action),
    h("td", {}, whatOf(entry)),
    h("td", { class: "who" }, entry.token?.description ?? "operator"),
    h("td", { class: "tight wide" }, h("small", {}, entry.address)),
    h("td", {}, changed && h("details", {}, h("summary", {}, "Show"), h("pre", { tabindex: "0" }, JSON.stringify({ before: entry.before, after: entry.after }, null, 2)))));
}
