// The tokens of the project: made, refreshed, deleted. A value is shown once, when it is made.

import { call, get } from "../api.js";
import { attempt, say } from "../components/message.js";
import { pager } from "../components/pager.js";
import { check, field, fill, h } from "../element.js";
import { dayOf } from "../format.js";

const SIZE = 50;

export async function tokens(page, { token: own }) {
  const mayManage = own.isMasterToken || own.canManageTokens;
  let all = await get("v2/storage/tokens");
  const secret = h("div");
  let offset = 0;
  const list = h("tbody");
  const foot = h("div");
  const search = h("input", { type: "search", placeholder: "What it is for", oninput: () => { offset = 0; draw(); } });
  const description = h("input", { name: "description", type: "text", required: true, maxlength: 255 });
  const life = h("input", { type: "number", min: 1, placeholder: "never" });
  const manages = check("May manage tokens and plugins");
  const make = h("button", { type: "submit", class: "primary" }, "Create");

  const show = (made) => fill(secret, h("div", { class: "secret field", role: "status" },
    h("p", {}, h("strong", {}, `The value of “${made.description}”.`), " It is shown this once."), h("code", { tabindex: "0" }, made.token)));
  const refresh = async (one) => {
    show(await call("POST", `v2/storage/tokens/${one.id}/refresh`));
    say("The old value is no longer valid.");
    await read();
  };
  const remove = async (one) => {
    if (!confirm(`Delete the token “${one.description}”?`)) return;
    await call("DELETE", `v2/storage/tokens/${one.id}`);
    await read();
  };
  const row = (one) => h("tr", {},
    h("td", { class: "name" }, one.description, String(one.id) === String(own.id) && h("small", { class: "inline" }, " – yours")),
    h("td", { class: "tight wide" }, one.isMasterToken ? "all" : one.canManageTokens ? "manages tokens" : "uses the API"),
    h("td", { class: "tight wide" }, dayOf(one.created)),
    h("td", { class: "tight wide" }, one.isExpired ? "expired" : one.expires ? dayOf(one.expires) : "never"),
    h("td", { class: "tight" }, mayManage && h("span", { class: "row" },
      h("button", { type: "button", class: "small", "aria-label": `Refresh ${one.description}`, onclick: (event) => attempt(event.currentTarget, () => refresh(one)) }, "Refresh"),
      !one.isMasterToken && h("button", { type: "button", class: "danger small", "aria-label": `Delete ${one.description}`, onclick: (event) => attempt(event.currentTarget, () => remove(one)) }, "Delete"))));
  const draw = () => {
    const text = search.value.trim().toLowerCase();
    const found = all.filter((one) => one.description.toLowerCase().includes(text));
    fill(list, found.slice(offset, offset + SIZE).map(row));
    fill(foot, pager(offset, SIZE, found.length, (to) => { offset = to; draw(); }));
  };
  const read = async () => {
    all = await get("v2/storage/tokens");
    draw();
  };
  const submit = (event) => {
    event.preventDefault();
    attempt(make, async () => {
      const days = life.value === "" ? {} : { expiresIn: Number(life.value) * 86_400 };
      show(await call("POST", "v2/storage/tokens", { description: description.value, canManageTokens: manages.querySelector("input").checked, ...days }));
      description.value = "";
      await read();
    });
  };
  fill(page, h("h1", {}, "Tokens"), secret,
    mayManage && h("form", { class: "card", onsubmit: submit }, h("h2", {}, "New token"),
      h("div", { class: "grid" }, field("What it is for", description), field("Days until it expires", life)), manages, h("div", { class: "row" }, make)),
    h("section", { class: "card" }, field("Search", search), h("div", { class: "table" }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Token"), h("th", { scope: "col", class: "wide" }, "Rights"), h("th", { scope: "col", class: "wide" }, "Made"), h("th", { scope: "col", class: "wide" }, "Expires"), h("th", { scope: "col" }, "Change"))), list)), foot));
  draw();
}
