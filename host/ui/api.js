// The API, as a page calls it: the session's cookie goes with each request by itself, the token is nowhere.

const BASE = new URL("..", import.meta.url);

export class Refused extends Error {
  constructor(status, answer) {
    super(answer?.message ?? `The server answered ${status}`);
    this.status = status;
    this.code = answer?.code;
  }
}

export async function call(method, path, body) {
  const response = await fetch(new URL(path, BASE), {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text === "" ? null : JSON.parse(text);
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

/** Who is signed in, or null. */
export const whoIsIt = () => call("GET", "ui/session");
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
