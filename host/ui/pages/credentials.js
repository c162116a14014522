// Secrets that the server adds to requests of plugins: kept, never shown again.

import { call, get } from "../api.js";
import { attempt, say } from "../components/message.js";
import { field, fill, h, options } from "../element.js";
import { dayOf } from "../format.js";
import { chips } from "./plugin.js";

/** What each type needs; what is secret is typed unseen. */
const TYPES = {
  bearer: [["token", "Token", true]],
  basic: [["username", "User name"], ["password", "Password", true]],
  header: [["header", "Header"], ["value", "Value", true]],
};

export async function credentials(page) {
  let all = await get("credentials");
  const list = h("tbody");
  const nothing = h("p", { class: "empty" }, "There are no credentials yet.");
  const table = h("div", { class: "table" });
  const name = h("input", { name: "name", type: "text", required: true, spellcheck: "false" });
  const hosts = h("input", { name: "hosts", type: "text", placeholder: "https://api.example.com", required: true, spellcheck: "false" });
  const type = h("select", { onchange: () => drawInputs() }, options([["bearer", "Bearer token"], ["basic", "User and password"], ["header", "Header of its own"]], "bearer"));
  const inputs = h("div", { class: "grid" });
  let values = {};
  const save = h("button", { type: "submit", class: "primary" }, "Keep");
  const drawInputs = () => {
    values = {};
    fill(inputs, TYPES[type.value].map(([key, label, isSecret]) => {
      values[key] = h("input", { type: isSecret ? "password" : "text", required: true, autocomplete: "off" });
      return field(label, values[key]);
    }));
  };
  const remove = async (one) => {
    if (!confirm(`Delete the credential ${one.name}?`)) return;
    await call("DELETE", `credentials/${encodeURIComponent(one.name)}`);
    await read();
  };
  const draw = () => {
    nothing.hidden = all.length > 0;
    table.hidden = all.length === 0;
    fill(list, all.map((one) => h("tr", {}, h("td", { class: "name" }, one.name), h("td", { class: "tight" }, one.type), h("td", {}, chips(one.hosts ?? [])),
      h("td", { class: "tight wide" }, dayOf(one.updated)),
      h("td", { class: "tight" }, h("button", { type: "button", class: "danger small", "aria-label": `Delete ${one.name}`, onclick: (event) => attempt(event.currentTarget, () => remove(one)) }, "Delete")))));
  };
  const read = async () => {
    all = await get("credentials");
    draw();
  };
  const submit = (event) => {
    event.preventDefault();
    attempt(save, async () => {
      const secret = Object.fromEntries(Object.entries(values).map(([key, input]) => [key, input.value]));
      await call("PUT", `credentials/${encodeURIComponent(name.value)}`, { type: type.value, hosts: hosts.value.split(/[\s,]+/).filter(Boolean), ...secret });
      say("Kept.");
      drawInputs();
      await read();
    });
  };
  drawInputs();
  fill(page, h("h1", {}, "Credentials"),
    h("form", { class: "card", onsubmit: submit }, h("h2", {}, "New credential"),
      h("p", { class: "quiet" }, "The server adds it to what plugins send to these hosts. No plugin sees it, and neither do you again. One of the same name is replaced."),
      h("div", { class: "grid" }, field("Name", name), field("Type", type), field("Hosts", hosts)), inputs, h("div", { class: "row" }, save)),
    h("section", { class: "card" }, table, nothing));
  fill(table, h("table", {}, h("thead", {}, h("tr", {}, [["Name"], ["Type"], ["Hosts"], ["Changed", "wide"], ["Change"]].map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))), list));
  draw();
}
