// Who is told of what: one row per subscription.

import { field, fill, h, options } from "../element.js";

const CHANNELS = [["error", "ends in error"], ["warning", "ends with a warning"], ["success", "succeeds"], ["recovery", "recovers"], ["waiting", "waits too long"], ["processing", "runs too long"]];
const MORE = { waiting: ["timeout", "Minutes", 10], processing: ["tolerance", "Percent over the average", 20] };

export function notificationsEditor(notifications) {
  const rows = [];
  const list = h("div", { class: "items" });
  const draw = () => fill(list, rows.map((row) => row.element), rows.length === 0 && h("p", { class: "empty" }, "Nobody is told of anything."));
  const add = (one) => {
    const row = notificationRow(one, () => { rows.splice(rows.indexOf(row), 1); draw(); });
    rows.push(row);
    return row;
  };
  notifications.forEach(add);
  draw();
  const more = h("button", { type: "button", onclick: () => { const row = add({ channel: "error", email: "", parameters: {} }); draw(); row.element.querySelector("input").focus(); } }, "Add a notification");
  return { element: h("div", { class: "items" }, list, h("div", { class: "row" }, more)), read: () => rows.map((row) => row.read()) };
}

function notificationRow(one, remove) {
  const isMail = !one.plugin || one.plugin === "email";
  const address = h("input", { type: isMail ? "email" : "text", required: isMail, value: isMail ? one.email ?? "" : one.plugin, disabled: !isMail });
  const channel = h("select", { onchange: () => show() }, options(CHANNELS, one.channel));
  const number = h("input", { type: "number", min: 0 });
  const more = h("div");
  const show = () => {
    const needed = MORE[channel.value];
    more.hidden = !needed;
    if (!needed) return fill(more);
    const [name, label, usual] = needed;
    number.value = one.parameters?.[name] ?? usual;
    more.className = "field narrow";
    return fill(more, field(label, number));
  };
  show();
  return {
    element: h("div", { class: "item line told" }, field(isMail ? "Address" : "Plugin", address), field("When a run", channel), more,
      h("button", { type: "button", class: "danger icon", "aria-label": `Remove the notification of ${one.email || one.plugin || "nobody"}`, title: "Remove", onclick: remove }, "×")),
    read: () => {
      const needed = MORE[channel.value];
      const parameters = needed ? { [needed[0]]: Number(number.value) } : {};
      return isMail ? { ...one, email: address.value, channel: channel.value, parameters } : { ...one, channel: channel.value, parameters };
    },
  };
}
