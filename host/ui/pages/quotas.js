// How much of what the project may use it has used.

import { get } from "../api.js";
import { fill, h } from "../element.js";
import { bytesOf, untilOf } from "../format.js";

const NAMES = { orchestrations: "Orchestrations", concurrentJobs: "Jobs at a time", jobsPerDay: "Jobs per day", cpuSecondsPerDay: "Seconds of plugins' work per day", plugins: "Plugins", storageBytes: "Storage" };

export async function quotas(page) {
  const { skippedToday, ...all } = await get("quotas");
  const one = ([name, quota]) => {
    const print = name === "storageBytes" ? bytesOf : (number) => number.toLocaleString();
    const bar = h("span");
    const used = quota.limit ? Math.min(100, (100 * (quota.used ?? 0)) / quota.limit) : 0;
    bar.style.setProperty("--length", `${used}%`);
    return h("section", { class: "card" }, h("h2", {}, NAMES[name] ?? name),
      h("p", { class: "big" }, quota.used === null ? h("span", { class: "quiet" }, "not counted") : h("strong", {}, print(quota.used)), h("span", { class: "quiet" }, quota.limit === null ? " · no limit" : ` of ${print(quota.limit)}`)),
      quota.limit !== null && h("div", { class: "meter", role: "img", "aria-label": `${Math.round(used)} percent used` }, bar),
      quota.resets && h("small", {}, `Counts anew ${untilOf(quota.resets)}`));
  };
  fill(page, h("h1", {}, "Quotas"), h("div", { class: "grid thirds" }, Object.entries(all).map(one)),
    skippedToday > 0 && h("p", {}, `${skippedToday} runs were skipped today, because a quota was used up.`));
}
