// One plugin: what it asks for, what it was granted, and the difference that waits for a decision.

import { call, get } from "../api.js";
import { attempt, say } from "../components/message.js";
import { check, fill, h } from "../element.js";
import { bytesOf, dayOf } from "../format.js";

export function chips(texts, isNew = () => false) {
  if (texts.length === 0) return h("span", { class: "quiet" }, "nothing");
  return h("span", { class: "chips" }, texts.map((text) => h("span", { class: "chip", data: isNew(text) ? { kind: "new" } : {} }, text)));
}

/** No project may grant this. */
const EVERYWHERE = "https://*";
const KINDS = [["capabilities", "Capabilities"], ["hosts", "Hosts"], ["credentials", "Credentials"]];

export async function plugin(page, { names: [id], token }) {
  let found = await get(`plugins/${encodeURIComponent(id)}`);
  const mayManage = found.origin === "project" && (token.isMasterToken || token.canManageTokens);
  const draw = () => fill(page,
    h("p", { class: "crumbs" }, h("a", { href: "#/plugins" }, "Plugins")),
    h("div", { class: "head" }, h("div", {}, h("h1", {}, found.id), h("p", { class: "quiet" }, found.description)),
      mayManage && h("button", { type: "button", class: "danger", onclick: (event) => attempt(event.currentTarget, remove) }, "Delete")),
    rights(),
    versions(),
    found.manifest && h("section", { class: "card" }, h("h2", {}, "Manifest"), h("pre", { tabindex: "0" }, JSON.stringify(found.manifest, null, 2))));

  const remove = async () => {
    if (!confirm(`Delete the plugin ${found.id}?`)) return;
    await call("DELETE", `plugins/${encodeURIComponent(id)}`);
    location.hash = "#/plugins";
  };
  const rights = () => {
    const newest = found.versions[0];
    const asked = newest.asked;
    const boxes = [];
    const box = (kind, text) => {
      const isGranted = found.granted?.[kind]?.includes(text) ?? false;
      const isNew = found.newlyAsked[kind].includes(text);
      const note = text === EVERYWHERE ? " – an operator's to grant" : isNew ? " – newly asked" : "";
      const made = check(`${text}${note}`, { checked: isGranted || (isNew && text !== EVERYWHERE) });
      boxes.push([kind, text, made.querySelector("input")]);
      return made;
    };
    const gone = KINDS.flatMap(([kind]) => (found.granted?.[kind] ?? []).filter((text) => !asked[kind].includes(text)));
    const grant = h("button", { type: "submit", class: "primary" }, "Grant what is ticked");
    const submit = (event) => {
      event.preventDefault();
      attempt(grant, async () => {
        const granted = { capabilities: [], hosts: [], credentials: [], limits: found.granted?.limits ?? {}, version: newest.version };
        for (const [kind, text, input] of boxes) if (input.checked) granted[kind].push(text);
        found = await call("PUT", `plugins/${encodeURIComponent(id)}/grant`, granted);
        say("Granted.");
        draw();
      });
    };
    const group = ([kind, title]) => h("div", { class: "field" }, h("h3", {}, title),
      mayManage && asked[kind].length > 0 ? asked[kind].map((text) => box(kind, text)) : chips(asked[kind], (text) => found.newlyAsked[kind].includes(text)));
    return h("form", { class: "card", onsubmit: submit },
      h("h2", {}, `What version ${newest.version} asks for`),
      found.status !== "ready" && h("p", {}, h("strong", {}, "It waits for your grant.")),
      h("div", { class: "grid" }, KINDS.map(group)),
      gone.length > 0 && h("p", {}, "Granted and no longer asked for: ", chips(gone)),
      mayManage ? h("div", { class: "row" }, grant) : h("p", { class: "quiet" }, found.origin === "project" ? "A token that manages tokens may grant this." : "It came with the server or from its operator, and may use all of this."));
  };
  const versions = () => h("section", { class: "card" }, h("h2", {}, "Versions"), h("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Versions" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Version", "State", "Size", "Uploaded", "Asks for"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, found.versions.map((one, at) => {
      const before = found.versions[at + 1]?.asked;
      const isNew = (text) => before !== undefined && !KINDS.some(([kind]) => before[kind].includes(text));
      return h("tr", {}, h("td", { class: "tight" }, one.version), h("td", { class: "tight" }, one.status.replace("-", " ")), h("td", { class: "tight" }, bytesOf(one.sizeBytes)),
        h("td", { class: "tight" }, dayOf(one.createdTime)), h("td", {}, chips(KINDS.flatMap(([kind]) => one.asked[kind]), isNew)));
    })))));
  draw();
}
