// All orchestrations: found by name, filtered, switched on and off, one by one or many at once.

import { call, get } from "../api.js";
import { attempt, say } from "../components/message.js";
import { pager } from "../components/pager.js";
import { RUNS, status, strip } from "../components/status.js";
import { field, fill, h, options, redraw } from "../element.js";
import { dayOf, untilOf, wholeOf } from "../format.js";
import { note } from "../router.js";

const SIZE = 25;

export async function orchestrations(page, { query, store, signal }) {
  const chosen = new Set();
  const strips = new Map();
  const stale = new Set();
  let offset = Number(query.get("offset") ?? 0);
  let shownIds = [];
  const search = h("input", { type: "search", value: query.get("search") ?? "", placeholder: "Name or number", "aria-keyshortcuts": "/", oninput: () => { offset = 0; draw(); } });
  const searchField = field("Search", search);
  searchField.classList.add("search");
  const choose = (name, label, pairs) => {
    const select = h("select", { name, onchange: () => { offset = 0; draw(); } }, options(pairs, query.get(name) ?? ""));
    return [select, field(label, select)];
  };
  const [state, stateField] = choose("state", "State", [["", "All"], ["active", "Enabled"], ["paused", "Disabled"]]);
  const [last, lastField] = choose("last", "Last run", [["", "Any"], ["success", "Success"], ["warning", "Warning"], ["error", "Error"], ["processing", "Running"], ["none", "Never ran"]]);
  const [sort, sortField] = choose("sort", "Order", [["", "By name"], ["next", "By next time"], ["last", "By last run"], ["newest", "Newest first"]]);
  const body = h("tbody");
  const bulk = h("div", { class: "bulk", hidden: true });
  const all = h("input", { type: "checkbox", "aria-label": "Choose all that are found", onchange: () => { for (const one of found()) all.checked ? chosen.add(one.id) : chosen.delete(one.id); draw(); } });
  const foot = h("div");

  const found = () => {
    const text = search.value.trim().toLowerCase();
    const kept = [...store.orchestrations.values()].filter((one) =>
      (text === "" || one.name.toLowerCase().includes(text) || String(one.id) === text)
      && (state.value === "" || one.active === (state.value === "active"))
      && (last.value === "" || (one.lastExecutedJob?.status ?? "none") === last.value));
    const orders = {
      "": (a, b) => a.name.localeCompare(b.name) || a.id - b.id,
      next: (a, b) => (a.nextScheduledTime ?? "~").localeCompare(b.nextScheduledTime ?? "~"),
      last: (a, b) => (b.lastExecutedJob?.id ?? 0) - (a.lastExecutedJob?.id ?? 0),
      newest: (a, b) => b.id - a.id,
    };
    return kept.sort(orders[sort.value]);
  };

  const change = async (ids, active) => {
    let count = 0;
    for (const id of ids) {
      if (store.orchestrations.get(id)?.active === active) continue;
      const { tasks, ...kept } = await call("PUT", `orchestrations/${id}`, { active });
      store.keep(kept);
      count += 1;
    }
    say(`${count} ${active ? "enabled" : "disabled"}.`);
  };

  const run = async (ids) => {
    for (const id of ids) await call("POST", `orchestrations/${id}/jobs`, {});
    say(ids.length === 1 ? `${store.name(ids[0])} was started.` : `${ids.length} were started.`);
  };

  const row = (one) => {
    const cell = h("td", { class: "tight wide" }, strips.get(one.id) ?? strip([]));
    const job = one.lastExecutedJob;
    return h("tr", { data: { id: one.id } },
      h("td", { class: "tight" }, h("input", { type: "checkbox", "aria-label": `Choose ${one.name}`, checked: chosen.has(one.id), onchange: (event) => { event.target.checked ? chosen.add(one.id) : chosen.delete(one.id); drawBulk(); } })),
      h("td", { class: "name" }, h("a", { class: "clamp", href: `#/orchestrations/${one.id}`, title: one.name }, one.name), h("small", { class: "mono" }, one.crontabRecord ?? "")),
      h("td", { class: "tight" }, job ? h("a", { href: `#/jobs/${job.id}` }, status(job.status)) : h("span", { class: "quiet" }, "never ran")),
      cell,
      h("td", { class: "tight wide", title: wholeOf(one.nextScheduledTime) }, one.nextScheduledTime ? [dayOf(one.nextScheduledTime), h("br"), h("small", {}, untilOf(one.nextScheduledTime))] : h("span", { class: "quiet" }, one.active ? "by hand" : "disabled")),
      h("td", { class: "tight wide" }, h("button", { type: "button", class: "switch", role: "switch", "aria-checked": String(one.active), "aria-label": `${one.name} is enabled`, onclick: (event) => attempt(event.currentTarget, () => change([one.id], !one.active)) }, one.active ? "Enabled" : "Disabled")),
      h("td", { class: "tight" }, h("button", { type: "button", class: "small", "aria-label": `Run ${one.name}`, onclick: (event) => attempt(event.currentTarget, () => run([one.id])) }, "Run")));
  };

  const drawBulk = () => {
    bulk.hidden = chosen.size === 0;
    const act = (text, doIt) => h("button", { type: "button", class: "small", onclick: (event) => attempt(event.currentTarget, () => doIt([...chosen])) }, text);
    fill(bulk, h("strong", {}, `${chosen.size} chosen`), act("Enable", (ids) => change(ids, true)), act("Disable", (ids) => change(ids, false)), act("Run", run),
      h("button", { type: "button", class: "plain", onclick: () => { chosen.clear(); all.checked = false; draw(); } }, "Choose none"));
  };

  const draw = () => {
    const matching = found();
    offset = Math.min(offset, Math.max(0, Math.floor((matching.length - 1) / SIZE) * SIZE));
    const shown = matching.slice(offset, offset + SIZE);
    redraw(body, shown.map(row));
    fill(foot, matching.length === 0
      ? h("p", { class: "empty" }, store.orchestrations.size === 0 ? "There are no orchestrations yet." : "Nothing matches.")
      : pager(offset, SIZE, matching.length, (to) => { offset = to; draw(); }));
    drawBulk();
    shownIds = shown.map((one) => one.id);
    loadStrips(shownIds.filter((id) => !strips.has(id) || stale.has(id)));
    note("/orchestrations", Object.entries({ search: search.value, state: state.value, last: last.value, sort: sort.value, offset: offset || "" }));
  };

  const loadStrips = async (ids) => {
    for (const id of ids) {
      stale.delete(id);
      if (!strips.has(id)) strips.set(id, strip([]));
    }
    await Promise.all(ids.map(async (id) => {
      const jobs = await get(`jobs?orchestrationId=${id}&limit=${RUNS}`).catch(() => []);
      strips.set(id, strip(jobs));
      body.querySelector(`tr[data-id="${id}"] .strip`)?.replaceWith(strips.get(id));
    }));
  };

  fill(page,
    h("div", { class: "head" }, h("h1", {}, "Orchestrations"), h("a", { class: "button primary", href: "#/orchestrations/new" }, "New orchestration")),
    h("section", { class: "card" },
      h("div", { class: "filters" }, searchField, stateField, lastField, sortField),
      bulk,
      h("div", { class: "table" }, h("table", {}, h("thead", {}, h("tr", {},
        h("th", { class: "tight" }, all), ["Name", "Last run"].map((text) => h("th", { scope: "col" }, text)),
        ["Last 20 runs", "Next time", "Schedule"].map((text) => h("th", { scope: "col", class: "wide" }, text)),
        h("th", { scope: "col" }, "Run"))), body)),
      foot));
  draw();
  let pending = 0;
  store.listen((event) => {
    if (event?.event === "task") return;
    // Its strip is read anew, and shown as it was until then; many events in a row are drawn once.
    if (event) stale.add(event.orchestrationId);
    pending ||= setTimeout(() => { pending = 0; if (!signal.aborted) draw(); }, 300);
  }, signal);
}
