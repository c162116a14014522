// Who changed what, the newest first.

import { callForPage } from "../api.js";
import { pager } from "../components/pager.js";
import { fill, h } from "../element.js";
import { dayOf, wholeOf } from "../format.js";

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

function row(entry) {
  const changed = entry.before || entry.after;
  return h("tr", {},
    h("td", { class: "tight", title: wholeOf(entry.createdTime) }, dayOf(entry.createdTime)),
    h("td", { class: "tight" }, entry.action),
    h("td", {}, entry.subject),
    h("td", {}, entry.token?.description ?? "operator"),
    h("td", { class: "tight wide" }, h("small", {}, entry.address)),
    h("td", {}, changed && h("details", {}, h("summary", {}, "Show"), h("pre", { tabindex: "0" }, JSON.stringify({ before: entry.before, after: entry.after }, null, 2)))));
}
