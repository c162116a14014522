// One orchestration: its last jobs, and all of it to be changed. `new` is one that is not there yet.

import { call, get } from "../api.js";
import { crontabField } from "../components/crontab-field.js";
import { deliveries } from "../components/deliveries.js";
import { attempt, say } from "../components/message.js";
import { notificationsEditor } from "../components/notifications-editor.js";
import { openRun } from "../components/run-dialog.js";
import { RUNS, strip } from "../components/status.js";
import { tasksEditor } from "../components/tasks-editor.js";
import { check, field, fill, h, redraw } from "../element.js";
import { dayOf, untilOf } from "../format.js";
import { heads, row } from "./history.js";

const LISTED = 5;
const NEW = { name: "", crontabRecord: null, active: true, tasks: [], notifications: [] };

export async function orchestration(page, { names: [id], store, signal }) {
  const isNew = id === "new";
  let saved = isNew ? NEW : await get(`orchestrations/${id}`);
  const name = h("input", { name: "name", type: "text", required: true, maxlength: 255, value: saved.name });
  const active = check("Enabled", { checked: saved.active });
  const crontab = crontabField(saved.crontabRecord);
  const tasks = await tasksEditor(saved.tasks);
  const notifications = notificationsEditor(saved.notifications);
  const sent = isNew ? null : await deliveries(id);
  if (signal.aborted) return;
  const save = h("button", { type: "submit", class: "primary" }, isNew ? "Create" : "Save");
  const head = h("div", { class: "page" });
  const recent = h("section", { class: "card", hidden: isNew });

  const drawHead = () => fill(head,
    h("p", { class: "crumbs" }, h("a", { href: "#/orchestrations" }, "Orchestrations")),
    h("div", { class: "head" },
      h("h1", {}, isNew ? "New orchestration" : saved.name),
      !isNew && h("div", { class: "row" },
        h("a", { class: "button", href: `#/orchestrations/${id}/jobs` }, "History"),
        h("button", { type: "button", class: "primary", onclick: () => openRun(saved) }, "Run now …"))),
    !isNew && h("p", { class: "quiet" }, saved.nextScheduledTime ? `Next: ${dayOf(saved.nextScheduledTime)}, ${untilOf(saved.nextScheduledTime)} · ` : saved.active ? "No next time · " : "Disabled · ", `number ${saved.id} · runs with the token “${saved.token.description}”`));

  const drawRecent = async () => {
    const jobs = await get(`jobs?orchestrationId=${id}&limit=${RUNS}`);
    if (signal.aborted) return;
    redraw(recent, h("div", { class: "head" }, h("h2", {}, "Last runs"), strip(jobs)),
      jobs.length === 0 ? h("p", { class: "quiet" }, "It has never run.") : h("div", { class: "table" }, h("table", {},
        heads(false),
        h("tbody", {}, jobs.slice(0, LISTED).map((job) => row(job, false))))));
  };

  const submit = (event) => {
    event.preventDefault();
    attempt(save, async () => {
      const body = { name: name.value, active: active.querySelector("input").checked, crontabRecord: crontab.read(), tasks: tasks.read(), notifications: notifications.read() };
      const answer = await (isNew ? call("POST", "orchestrations", body) : call("PUT", `orchestrations/${id}`, body));
      const { tasks: _, ...kept } = answer;
      store.keep(kept);
      say("Saved.");
      if (isNew) location.hash = `#/orchestrations/${answer.id}`;
      saved = answer;
      if (!isNew) drawHead();
    });
  };
  const remove = async () => {
    if (!confirm(`Delete “${saved.name}”? Its waiting jobs are cancelled.`)) return;
    await call("DELETE", `orchestrations/${id}`);
    store.forget(Number(id));
    location.hash = "#/orchestrations";
  };

  drawHead();
  fill(page, head, recent,
    h("form", { class: "page", onsubmit: submit },
      h("div", { class: "beside narrow-first" },
        h("div", {},
          h("section", { class: "card" }, h("h2", {}, "General"), field("Name", name), active, crontab.element),
          h("section", { class: "card" }, h("h2", {}, "Notifications"), notifications.element, sent?.element)),
        h("section", { class: "card" }, h("h2", {}, "Tasks and phases"), tasks.element)),
      h("div", { class: "head save" }, h("div", { class: "row" }, save), !isNew && h("button", { type: "button", class: "danger", onclick: (event) => attempt(event.currentTarget, remove) }, "Delete"))));
  if (isNew) {
    name.focus();
    return;
  }
  await drawRecent();
  let pending = 0;
  store.listen((event) => {
    if (event?.orchestrationId === saved.id) pending ||= setTimeout(() => { pending = 0; drawRecent(); sent.read(); }, 600);
  }, signal);
}
