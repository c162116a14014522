// A crontab expression, what it says, and the next ten times.

import { get } from "../api.js";
import { field, fill, h } from "../element.js";
import { dayOf, wholeOf } from "../format.js";

const USUAL = [["", "By hand only"], ["*/15 * * * *", "Every 15 minutes"], ["0 * * * *", "Every hour"], ["0 2 * * *", "Every night"], ["0 6 * * 1-5", "On weekdays"], ["0 5 1 * *", "Every month"]];
const BETWEEN = 250;

export function crontabField(value) {
  const input = h("input", { type: "text", name: "crontab", class: "mono", value: value ?? "", placeholder: "minute hour day month weekday", spellcheck: "false", oninput: () => explainSoon() });
  const said = h("div", { class: "field", "aria-live": "polite" });
  const usual = h("div", { class: "row usual" }, USUAL.map(([text, name]) => h("button", { type: "button", class: "plain", onclick: () => { input.value = text; explain(); } }, name)));
  let timer = 0;
  const explainSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(explain, BETWEEN);
  };
  const explain = async () => {
    const asked = input.value;
    input.removeAttribute("aria-invalid");
    if (asked.trim() === "") {
      fill(said, h("p", { class: "quiet" }, "It runs when somebody starts it."));
      return;
    }
    try {
      const answer = await get(`crontab?expression=${encodeURIComponent(asked)}`);
      if (input.value !== asked) return;
      fill(said, h("p", {}, h("strong", {}, answer.description), " (UTC)"),
        h("ol", { class: "times" }, answer.nextTimes.map((time) => h("li", { title: wholeOf(time) }, dayOf(time)))));
    } catch (error) {
      if (input.value !== asked) return;
      input.setAttribute("aria-invalid", "true");
      fill(said, h("p", { role: "alert" }, error.message.replace(/^expression: /, "")));
    }
  };
  explain();
  const element = h("div", { class: "field" }, field("Schedule (crontab, UTC)", input), usual, said);
  return { element, read: () => (input.value.trim() === "" ? null : input.value) };
}
