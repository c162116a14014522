// What became of an orchestration's notifications, and a way to send one again.

import { call, get } from "../api.js";
import { fill, h } from "../element.js";
import { dayOf } from "../format.js";
import { attempt, say } from "./message.js";

const SHOWN = 10;

export async function deliveries(id) {
  const list = h("ul", { class: "list" });
  const read = async () => {
    const all = await get(`orchestrations/${id}/deliveries?limit=${SHOWN}`);
    fill(list, all.map((one) => h("li", {},
      h("span", { title: one.lastAttempt?.message }, `${one.channel} to ${one.email || one.plugin}`),
      h("a", { href: `#/jobs/${one.jobId}` }, `Job ${one.jobId}`),
      h("small", {}, `${one.status} · ${dayOf(one.endTime ?? one.createdTime)}`),
      one.endTime && h("button", { type: "button", class: "plain", "aria-label": `Send ${one.channel} of job ${one.jobId} again`, onclick: (event) => attempt(event.currentTarget, () => again(one)) }, "Again"))),
      all.length === 0 && h("li", { class: "quiet" }, "None was sent yet."));
  };
  const again = async (one) => {
    await call("POST", `orchestrations/${id}/deliveries/${one.id}/redeliver`, {});
    say("It is sent again.");
    await read();
  };
  await read();
  return { element: h("div", { class: "items" }, h("h3", {}, "Sent lately"), list), read };
}
