// The events of a job as lines, the newest below; it follows them as long as its reader is at its end.

import { h } from "../element.js";
import { taskName, timeOf } from "../format.js";

const MOST_LINES = 2000;

export function log() {
  const element = h("div", { class: "log mono", role: "log", tabindex: "0", "aria-label": "Log of the job" });
  const add = (event) => {
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    const text = event.event === "log" ? event.message : [event.status ?? event.event, event.code, event.message].filter(Boolean).join(" · ");
    const level = event.level ?? (event.status === "error" ? "error" : event.status === "warning" ? "warning" : "info");
    element.append(h("p", { data: { level } },
      h("time", { datetime: event.time }, timeOf(event.time)),
      h("span", { title: event.task?.id }, event.task ? taskName(event.task) : "job"),
      h("span", {}, text)));
    if (element.childElementCount > MOST_LINES) element.firstChild.remove();
    if (isAtEnd) element.scrollTop = element.scrollHeight;
  };
  return { element, add };
}
