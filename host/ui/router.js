// Addresses behind the `#`, and the page of each.

import { audit } from "./pages/audit.js";
import { credentials } from "./pages/credentials.js";
import { history } from "./pages/history.js";
import { job } from "./pages/job.js";
import { orchestration } from "./pages/orchestration.js";
import { orchestrations } from "./pages/orchestrations.js";
import { overview } from "./pages/overview.js";
import { plugin } from "./pages/plugin.js";
import { plugins } from "./pages/plugins.js";
import { quotas } from "./pages/quotas.js";
import { tokens } from "./pages/tokens.js";

const PAGES = [
  [/^\/?$/, overview],
  [/^\/orchestrations$/, orchestrations],
  [/^\/orchestrations\/(new|\d+)$/, orchestration],
  [/^\/orchestrations\/(\d+)\/jobs$/, history],
  [/^\/jobs\/(\d+)$/, job],
  [/^\/plugins$/, plugins],
  [/^\/plugins\/([^/]+)$/, plugin],
  [/^\/tokens$/, tokens],
  [/^\/credentials$/, credentials],
  [/^\/quotas$/, quotas],
  [/^\/audit$/, audit],
];

/** The page of this address, with what its path names and its query; or null. */
export function find(hash) {
  const [path, query] = hash.replace(/^#/, "").split("?");
  for (const [pattern, page] of PAGES) {
    const found = pattern.exec(path);
    if (found) return { page, names: found.slice(1).map(decodeURIComponent), query: new URLSearchParams(query) };
  }
  return null;
}

/** Keeps what a page shows in its address, without a new entry of the history. */
export function note(path, query) {
  const kept = [...query].filter(([, value]) => value !== "");
  const text = new URLSearchParams(kept).toString();
  globalThis.history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
}
