// The tasks of an orchestration and their phases: in order, each with its parameters as its plugin describes them.

import { get } from "../api.js";
import { check, field, fill, h } from "../element.js";
import { taskName } from "../format.js";
import { schemaForm } from "./schema-form.js";

/** What runs a component of this name, so far as the project knows. */
async function schemaOf(name, known) {
  const plugin = known.components.get(name) ?? name;
  if (!known.plugins.has(plugin)) return null;
  const whole = await get(`plugins/${encodeURIComponent(plugin)}`).catch(() => null);
  return whole?.manifest?.["parameters-schema"] ?? null;
}

export async function tasksEditor(tasks) {
  const [plugins, components] = await Promise.all([get("plugins"), get("components")]);
  const known = {
    plugins: new Set(plugins.filter((one) => one.kind === "task").map((one) => one.id)),
    components: new Map(components.map((one) => [one.name, one.plugin])),
  };
  const names = h("datalist", { id: "component-names" }, [...new Set([...known.components.keys(), ...known.plugins])].sort().map((name) => h("option", { value: name })));
  const list = h("div", { class: "items close" });
  const rows = [];

  const draw = () => {
    fill(list, rows.map((row) => row.element), rows.length === 0 && h("p", { class: "empty" }, "No tasks yet: a run does nothing."));
    rows.forEach((row, at) => row.place(at, rows.length));
  };
  const move = (row, by) => {
    const at = rows.indexOf(row);
    rows.splice(at, 1);
    rows.splice(at + by, 0, row);
    draw();
    row.element.querySelector(by < 0 ? ".up" : ".down").focus();
  };
  const remove = (row) => {
    rows.splice(rows.indexOf(row), 1);
    draw();
  };
  const add = (task, isOpen) => {
    const row = taskRow(task, known, isOpen, { move, remove });
    rows.push(row);
    return row;
  };
  for (const task of tasks) add(task, false);
  draw();
  const more = h("button", { type: "button", onclick: () => {
    const row = add({ active: true, continueOnFailure: false, phase: rows.at(-1)?.phase() ?? null, actionParameters: {} }, true);
    draw();
    row.element.querySelector("input[name=component]").focus();
  } }, "Add a task");
  return { element: h("div", { class: "items" }, names, list, h("div", { class: "row" }, more)), read: () => rows.map((row) => row.read()) };
}

function taskRow(task, known, isOpen, { move, remove }) {
  const target = h("input", { name: "component", type: "text", required: true, value: task.component ?? task.componentUrl ?? "", list: "component-names", spellcheck: "false", onchange: () => takeSchema() });
  const action = h("input", { type: "text", value: task.action ?? "", placeholder: "run", spellcheck: "false", oninput: () => title() });
  const phase = h("input", { type: "text", value: task.phase ?? "", placeholder: "none: on its own", oninput: () => title() });
  const timeout = h("input", { type: "number", min: 1, value: task.timeoutMinutes ?? "", placeholder: "none" });
  const active = check("Runs", { checked: task.active, name: "active", onchange: () => title() });
  const goesOn = check("Go on if it fails", { checked: task.continueOnFailure, onchange: () => title() });
  const [activeBox, goesOnBox] = [active, goesOn].map((label) => label.querySelector("input"));
  const parameters = h("div");
  let form = schemaForm(null, task.actionParameters);
  fill(parameters, form.element);
  const takeSchema = async () => {
    title();
    const schema = await schemaOf(target.value.trim(), known);
    let typed;
    try {
      typed = form.read() ?? {};
    } catch {
      // What is no JSON stays where it was typed, and is told when it is saved.
      return;
    }
    form = schemaForm(schema, typed);
    fill(parameters, form.element);
  };
  const named = h("span", { class: "named" });
  const title = () => fill(named, h("span", {}, target.value || "New task", action.value && h("small", {}, ` /${action.value}`)),
    !activeBox.checked && h("small", { class: "chip" }, "left out"),
    goesOnBox.checked && h("small", { class: "chip" }, "may fail"),
    h("small", { class: "chip" }, phase.value ? `phase ${phase.value}` : "on its own"));
  title();
  takeSchema();
  const up = h("button", { type: "button", class: "up", "aria-label": "Earlier", onclick: () => move(row, -1) }, "↑");
  const down = h("button", { type: "button", class: "down", "aria-label": "Later", onclick: () => move(row, 1) }, "↓");
  const row = {
    element: h("details", { class: "item", open: isOpen, data: { task: taskName(task) } },
      h("summary", {}, named),
      h("div", { class: "grid" },
        field("Component or https address", target), field("Action", action),
        field("Phase", phase, "Neighbours of one phase run together."), field("Time limit, minutes", timeout)),
      parameters,
      h("div", { class: "row" }, active, goesOn, up, down, h("button", { type: "button", class: "danger", onclick: () => remove(row) }, "Remove"))),
    phase: () => phase.value || null,
    place: (at, count) => {
      up.disabled = at === 0;
      down.disabled = at === count - 1;
    },
    read: () => {
      const where = target.value.trim();
      return {
        ...(task.id ? { id: task.id } : {}),
        ...(where.includes("://") ? { componentUrl: where } : { component: where }),
        action: action.value.trim() || null,
        actionParameters: form.read() ?? {},
        phase: phase.value || null,
        timeoutMinutes: timeout.value === "" ? null : Number(timeout.value),
        active: activeBox.checked,
        continueOnFailure: goesOnBox.checked,
      };
    },
  };
  return row;
}
