// From one page of a list to the next.

import { h } from "../element.js";

export function pager(offset, size, total, go) {
  if (total <= size) return null;
  const last = Math.min(offset + size, total);
  return h("div", { class: "pager" },
    h("span", { class: "quiet" }, `${offset + 1}–${last} of ${total}`),
    h("button", { type: "button", disabled: offset === 0, onclick: () => go(Math.max(0, offset - size)) }, "Previous"),
    h("button", { type: "button", disabled: last >= total, onclick: () => go(offset + size) }, "Next"));
}
