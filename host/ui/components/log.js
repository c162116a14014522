// The events of a job as lines, the newest below. It follows them until its reader scrolls up; filters hide lines, and keep them.

import { check, h, options } from "../element.js";
import { taskName, timeOf, wholeOf } from "../format.js";

const MOST_LINES = 5000;
const WRONG = ["error", "stderr", "warning"];

/** `tasks` are those of the job, for the choice of one. */
export function log(tasks) {
  const lines = h("div", { class: "log mono", role: "log", tabindex: "0", "aria-label": "Log of the job", onscroll: () => { follows.checked = isAtEnd(); } });
  const which = h("select", { "aria-label": "Lines of which task", onchange: () => filter() }, options([["", "All tasks"], ...tasks.map((task) => [task.id, `${taskName(task)} ${task.id}`])], ""));
  const kind = h("select", { "aria-label": "Which lines", onchange: () => filter() }, options([["", "Everything"], ["log", "Lines of plugins"], ["wrong", "What went wrong"]], ""));
  const search = h("input", { type: "search", placeholder: "Find in the log", "aria-label": "Find in the log", oninput: () => filter() });
  const following = check("Follow", { checked: true, onchange: () => { if (follows.checked) toEnd(); } });
  const follows = following.querySelector("input");
  const isAtEnd = () => lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;
  const toEnd = () => { lines.scrollTop = lines.scrollHeight; };
  const isWanted = (line) => (which.value === "" || line.dataset.task === which.value)
    && (kind.value === "" || (kind.value === "log" ? line.dataset.kind === "log" : WRONG.includes(line.dataset.level)))
    && (search.value === "" || line.textContent.toLowerCase().includes(search.value.toLowerCase()));
  const filter = () => {
    for (const line of lines.children) line.hidden = !isWanted(line);
    if (follows.checked) toEnd();
  };
  const add = (event) => {
    const text = event.event === "log" ? event.message : [event.status ?? event.event, event.code, event.message].filter(Boolean).join(" · ");
    const level = event.level ?? (event.status === "error" ? "error" : event.status === "warning" ? "warning" : "info");
    const line = h("p", { data: { level, kind: event.event, task: event.task?.id ?? "" } },
      h("time", { datetime: event.time, title: wholeOf(event.time) }, timeOf(event.time)),
      h("span", { title: event.task?.id }, event.task ? taskName(event.task) : "job"),
      h("span", {}, text));
    line.hidden = !isWanted(line);
    const follow = follows.checked;
    lines.append(line);
    if (lines.childElementCount > MOST_LINES) lines.firstChild.remove();
    if (follow) toEnd();
  };
  const element = h("section", { class: "card" }, h("div", { class: "bar-of-log" }, h("h2", {}, "Log"), following, which, kind, search), lines);
  return { element, add };
}
