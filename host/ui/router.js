// Addresses behind the `#`, and the page of each, which is loaded when it is first wanted.

const PAGES = [
  [/^\/?$/, "overview"],
  [/^\/orchestrations$/, "orchestrations"],
  [/^\/orchestrations\/(new|\d+)$/, "orchestration"],
  [/^\/orchestrations\/(\d+)\/jobs$/, "history"],
  [/^\/jobs$/, "history"],
  [/^\/jobs\/(\d+)$/, "job"],
  [/^\/plugins$/, "plugins"],
  [/^\/plugins\/([^/]+)$/, "plugin"],
  [/^\/tokens$/, "tokens"],
  [/^\/credentials$/, "credentials"],
  [/^\/quotas$/, "quotas"],
  [/^\/audit$/, "audit"],
];

/** What shows the page of this address, with what its path names and its query; or null. A page's file exports a function of the same name. */
export function find(hash) {
  const [path, query] = hash.replace(/^#/, "").split("?");
  for (const [pattern, name] of PAGES) {
    const found = pattern.exec(path);
    if (found) {
      const show = async (...all) => (await import(`./pages/${name}.js`))[name](...all);
      return { show, names: found.slice(1).map(decodeURIComponent), query: new URLSearchParams(query) };
    }
  }
  return null;
}

/** Keeps what a page shows in its address, without a new entry of the history. */
export function note(path, query) {
  const kept = [...query].filter(([, value]) => value !== "");
  const text = new URLSearchParams(kept).toString();
  history.replaceState(null, "", `#${path}${text ? `?${text}` : ""}`);
}
