// The plugins of the project, and a way for more.

import { call, get } from "../api.js";
import { attempt, say } from "../components/message.js";
import { fill, h } from "../element.js";
import { chips } from "./plugin.js";

export async function plugins(page, { token }) {
  const all = await get("plugins");
  const file = h("input", { type: "file", accept: ".wasm,application/wasm", "aria-label": "Component file of a plugin", required: true });
  const send = h("button", { type: "submit", class: "primary" }, "Upload");
  const upload = (event) => {
    event.preventDefault();
    attempt(send, async () => {
      const found = await call("POST", "plugins", file.files[0]);
      say(`${found.id} ${found.newestVersion} was uploaded.`);
      location.hash = `#/plugins/${encodeURIComponent(found.id)}`;
    });
  };
  const row = (plugin) => h("tr", {},
    h("td", { class: "name" }, h("a", { href: `#/plugins/${encodeURIComponent(plugin.id)}` }, plugin.id), h("br"), h("small", {}, plugin.description)),
    h("td", { class: "tight wide" }, plugin.kind),
    h("td", { class: "tight wide" }, plugin.origin),
    h("td", { class: "tight" }, plugin.version ?? plugin.newestVersion),
    h("td", { class: "wide" }, chips([...plugin.asked.capabilities, ...plugin.asked.hosts])),
    h("td", { class: "tight" }, plugin.status === "ready" ? "ready" : h("strong", {}, "awaits your grant")));
  fill(page, h("h1", {}, "Plugins"),
    (token.isMasterToken || token.canManageTokens) && h("form", { class: "card", onsubmit: upload }, h("h2", {}, "Upload a plugin"),
      h("p", { class: "quiet" }, "A component with its manifest, as “orchestrator plugin build” makes it. It reaches nothing until you grant it what it asks for."),
      h("div", { class: "row" }, file, send)),
    h("section", { class: "card" }, h("div", { class: "table" }, h("table", {},
      h("thead", {}, h("tr", {}, [["Plugin"], ["Kind", 1], ["From", 1], ["Version"], ["Asks for", 1], ["State"]].map(([text, wide]) => h("th", { scope: "col", class: wide && "wide" }, text)))),
      h("tbody", {}, all.map(row))))));
}
