// Jobs of the project as they run: one row each, the newest first, moved by events alone.

import { call, follow } from "./api.js";

const MOST_ROWS = 100;

export function showLive(page) {
  const rows = new Map();
  const names = new Map();
  const body = page.querySelector("#jobs");
  const state = page.querySelector("#state");
  const nothing = page.querySelector("#nothing");

  const rowOf = (event) => {
    let row = rows.get(event.jobId);
    if (row) return row;
    row = document.createElement("tr");
    for (let at = 0; at < 5; at += 1) row.append(document.createElement("td"));
    row.cells[0].textContent = event.jobId;
    name(event.orchestrationId, row.cells[1]);
    rows.set(event.jobId, row);
    body.prepend(row);
    nothing.hidden = true;
    if (rows.size > MOST_ROWS) {
      const [oldest, gone] = rows.entries().next().value;
      rows.delete(oldest);
      gone.remove();
    }
    return row;
  };

  const name = async (id, cell) => {
    if (!names.has(id)) {
      names.set(id, call("GET", `orchestrations/${id}`).then((found) => found.name, () => `deleted (${id})`));
    }
    cell.textContent = await names.get(id);
  };

  const since = (row, event) => {
    row.cells[4].textContent = new Date(event.time).toLocaleTimeString();
  };

  return follow("events?tail=200&kinds=job,task", {
    open: () => { state.textContent = "Live"; },
    lost: (forGood) => { state.textContent = forGood ? "Not connected: load this page again" : "Connecting again …"; },
    job: (event) => {
      const row = rowOf(event);
      row.cells[2].textContent = event.status;
      row.cells[2].dataset.status = event.status;
      since(row, event);
    },
    task: (event) => {
      const row = rowOf(event);
      const task = event.task?.component ?? event.task?.componentUrl ?? event.task?.id ?? "";
      row.cells[3].textContent = [task, event.status, event.message].filter(Boolean).join(" · ");
      since(row, event);
    },
  });
}
