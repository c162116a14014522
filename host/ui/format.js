// Times and lengths of time, as people read them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

export const timeOf = (text) => (text ? clock.format(new Date(text)) : "–");
export const dayOf = (text) => (text ? day.format(new Date(text)) : "–");
/** The time where it is today's, else the day as well. */
export const shortOf = (text) => (text && new Date(text).setHours(0, 0, 0, 0) === new Date().setHours(0, 0, 0, 0) ? timeOf(text) : dayOf(text));
export const wholeOf = (text) => (text ? whole.format(new Date(text)) : "");

export function untilOf(text) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return relative.format(Math.trunc(seconds), "second");
}

/** Of seconds. */
export function lengthOf(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min ${all % 60} s`;
  return `${Math.floor(all / 3600)} h ${Math.floor(all / 60) % 60} min`;
}

export function secondsBetween(start, end) {
  if (!start) return null;
  return ((end ? new Date(end).getTime() : Date.now()) - new Date(start).getTime()) / 1000;
}

export const taskName = (task) => task.component ?? task.componentUrl ?? task.id ?? "task";

export const bytesOf = (count) => (count < 1024 ? `${count} B` : count < 1048576 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1048576).toFixed(1)} MiB`);

/** Who or what began a job. */
export const by = (job) => ({ manually: "hand", scheduler: "schedule", trigger: "trigger" })[job.initializedBy] ?? job.initializedBy;
