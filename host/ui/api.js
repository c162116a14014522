// The API, as a page calls it: the session's cookie goes with each request by itself, the token is nowhere.

const BASE = new URL("..", import.meta.url);

export class Refused extends Error {
  constructor(status, answer) {
    const faults = (answer?.errors ?? []).map((fault) => `${fault.path}: ${fault.message}`);
    super(faults.length > 0 ? faults.join(" · ") : answer?.message ?? `The server answered ${status}`);
    this.status = status;
    this.code = answer?.code;
  }
}

/** The answer; and of a list that is only a part, how many there are in all, or what the next page comes before. */
export async function callForPage(method, path, body) {
  const isFile = body instanceof Blob;
  const response = await fetch(new URL(path, BASE), {
    method,
    headers: body === undefined ? {} : { "Content-Type": isFile ? "application/wasm" : "application/json" },
    body: body === undefined || isFile ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let answer = null;
  try {
    answer = text === "" ? null : JSON.parse(text);
  } catch {
    // Something between here and the server answered.
  }
  if (!response.ok) {
    if (response.status === 401) dispatchEvent(new Event("signed-out"));
    throw new Refused(response.status, answer);
  }
  return { answer, total: Number(response.headers.get("X-Total-Count") ?? 0), next: response.headers.get("X-Next-Before") };
}

export const call = async (method, path, body) => (await callForPage(method, path, body)).answer;
export const get = (path) => call("GET", path);

/** Who is signed in, or null. */
export const whoIsIt = () => get("ui/session");
export const signIn = (token) => call("POST", "ui/session", { token });
export const signOut = () => call("DELETE", "ui/session");

/**
 * Follows events until the returned function is called. `handlers` has a function per name of event, `open` and `lost`
 * among them; a lost connection is taken up again by the browser where it broke off.
 */
export function follow(path, handlers) {
  const source = new EventSource(new URL(path, BASE));
  for (const [name, handle] of Object.entries(handlers)) {
    if (name === "open") source.addEventListener("open", () => handle());
    else if (name === "lost") source.addEventListener("error", () => handle(source.readyState === EventSource.CLOSED));
    else source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  source.addEventListener("end", () => source.close());
  return () => source.close();
}
