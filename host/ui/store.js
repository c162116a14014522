// What is known of the project's orchestrations: read once, then moved by events.

import { follow, get } from "./api.js";

/** Orchestrations that are looked at again in one go, and milliseconds until the next. */
const MOST_AT_ONCE = 20;
const BETWEEN = 1000;

export class Store {
  orchestrations = new Map();
  state = "Connecting …";
  #listeners = new Set();
  #stale = new Set();
  #timer = 0;
  #close = () => {};

  async open() {
    // Before the list is read, so that nothing falls between them.
    this.#close = follow("events?kinds=job,task", {
      open: () => this.#say("Live"),
      lost: (forGood) => this.#say(forGood ? "Not connected: load this page again" : "Connecting again …"),
      job: (event) => this.#take(event),
      // How far it is: pages that show it ask.
      task: (event) => this.#tell(event),
    });
    await this.reload();
  }

  close() {
    this.#close();
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  /** Calls `listener` after each change until `signal` is aborted. The last event comes with it, where one was the reason. */
  listen(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener));
  }

  async reload() {
    const all = await get("orchestrations");
    this.orchestrations = new Map(all.map((one) => [one.id, one]));
    this.#tell();
  }

  keep(orchestration) {
    this.orchestrations.set(orchestration.id, orchestration);
    this.#tell();
  }

  forget(id) {
    this.orchestrations.delete(id);
    this.#tell();
  }

  name(id) {
    return this.orchestrations.get(id)?.name ?? `Deleted orchestration ${id}`;
  }

  #take(event) {
    const found = this.orchestrations.get(event.orchestrationId);
    if (found && event.status !== "waiting") {
      const old = found.lastExecutedJob;
      if (!old || old.id <= event.jobId) {
        const isNew = old?.id !== event.jobId;
        const hasEnded = event.status !== "processing" && event.status !== "terminating";
        const startTime = isNew ? event.time : old.startTime;
        found.lastExecutedJob = { id: event.jobId, status: event.status, startTime, endTime: hasEnded ? event.time : null };
      }
    }
    // Next times and the rest come with a look at each, soon, some at a time.
    this.#stale.add(event.orchestrationId);
    this.#timer ||= setTimeout(() => this.#refresh(), BETWEEN);
    this.#tell(event);
  }

  async #refresh() {
    const stale = [...this.#stale].slice(0, MOST_AT_ONCE);
    for (const id of stale) this.#stale.delete(id);
    await Promise.all(stale.map(async (id) => {
      try {
        const { tasks, ...found } = await get(`orchestrations/${id}`);
        this.orchestrations.set(id, found);
      } catch (error) {
        if (error.status === 404) this.orchestrations.delete(id);
      }
    }));
    this.#timer = this.#stale.size > 0 ? setTimeout(() => this.#refresh(), BETWEEN) : 0;
    this.#tell();
  }

  #say(state) {
    this.state = state;
    this.#tell();
  }

  #tell(event) {
    for (const listener of this.#listeners) listener(event);
  }
}
