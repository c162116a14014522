// Running an orchestration now: all of its tasks, or some.

import { call } from "../api.js";
import { check, field, h } from "../element.js";
import { taskName } from "../format.js";
import { phasesOf } from "./timeline.js";
import { attempt } from "./message.js";

export function openRun(orchestration) {
  const boxes = new Map();
  const box = (task) => {
    const made = check(`${taskName(task)}${task.action ? ` / ${task.action}` : ""}`, { checked: task.active });
    boxes.set(task, made.querySelector("input"));
    return made;
  };
  const email = h("input", { type: "text", placeholder: "as subscribed" });
  const start = h("button", { type: "submit", class: "primary" }, "Run now");
  const submit = (event) => {
    event.preventDefault();
    attempt(start, async () => {
      const tasks = orchestration.tasks.map((task) => ({ ...task, active: boxes.get(task).checked }));
      const notificationsEmails = email.value.split(/[\s,;]+/).filter(Boolean);
      const made = await call("POST", `orchestrations/${orchestration.id}/jobs`, { tasks, ...(notificationsEmails.length > 0 ? { notificationsEmails } : {}) });
      dialog.close();
      location.hash = `#/jobs/${made.id}`;
    });
  };
  const phases = phasesOf(orchestration.tasks).map((phase) => h("div", { class: "field" }, phase.name !== null && h("small", {}, `Phase ${phase.name}`), phase.tasks.map(box)));
  const dialog = h("dialog", { class: "card", "aria-labelledby": "run-title", onclose: () => dialog.remove() },
    h("form", { class: "field", onsubmit: submit },
      h("h2", { id: "run-title" }, `Run ${orchestration.name}`),
      phases.length === 0 ? h("p", { class: "quiet" }, "It has no tasks.") : phases,
      field("Tell of an error", email, "Addresses, for this run only"),
      h("div", { class: "row" }, start, h("button", { type: "button", onclick: () => dialog.close() }, "Not now"))));
  document.body.append(dialog);
  dialog.showModal();
}
