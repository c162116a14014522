// The frame of all pages: who is signed in, where to go, light or dark; and the page that the address names.

import { get, signOut, whoIsIt } from "./api.js";
import { say } from "./components/message.js";
import { fill, h } from "./element.js";
import { signInPage } from "./pages/sign-in.js";
import { find } from "./router.js";
import { Store } from "./store.js";

const main = document.querySelector("#main");
const frame = document.querySelector("#frame");
const who = document.querySelector("#who");
const theme = document.querySelector("#theme");
let store = null;
let token = null;
let leaving = new AbortController();

async function show() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  main.removeAttribute("aria-busy");
  if (!token) {
    fill(main);
    signInPage(main, start);
    performance.mark("shown");
    return;
  }
  const found = find(location.hash);
  for (const link of frame.querySelectorAll("nav a")) {
    const [, of] = link.getAttribute("href").split("/");
    const isHere = location.hash.replace(/^#?\/?/, "").split(/[/?]/)[0] === of;
    if (isHere) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  const page = h("div", { class: "page" });
  if (!found) {
    fill(main, h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: "#/" }, "To the overview")));
    return;
  }
  fill(main, page);
  try {
    await found.show(page, { names: found.names, query: found.query, store, token, signal });
  } catch (error) {
    if (signal.aborted) return;
    const text = error.status === 404 ? "There is no such thing in this project." : error.message;
    fill(page, h("h1", {}, error.status === 403 ? "Not for this token" : "This cannot be shown"), h("p", { role: "alert" }, text));
  }
  if (signal.aborted) return;
  performance.mark("shown");
  const title = page.querySelector("h1");
  document.title = title ? `${title.textContent} · Orchestrator` : "Orchestrator";
}

async function start(signedIn) {
  token = signedIn;
  store?.close();
  store = null;
  frame.hidden = !token;
  document.body.classList.toggle("signed-out", !token);
  if (token) {
    who.textContent = token.owner.name;
    who.title = token.description;
    if (location.hash.startsWith("#/sign-in")) history.replaceState(null, "", "#/");
    store = new Store();
    const live = document.querySelector("#live");
    store.listen(() => {
      if (!store || live.textContent === store.state) return;
      live.textContent = store.state;
      live.dataset.live = store.state === "Live";
    }, new AbortController().signal);
    store.listen(alarm, new AbortController().signal);
    await store.open().catch((error) => say(error.message, "bad"));
  }
  await show();
}

/** A job that fails is told on every page. */
async function alarm(event) {
  if (event?.event !== "job" || event.status !== "error") return;
  const { orchestrationId, jobId } = event;
  // One that was made a moment ago is not known yet.
  const known = store.orchestrations.get(orchestrationId) ?? (await get(`orchestrations/${orchestrationId}`).catch(() => null));
  say(h("a", { href: `#/jobs/${jobId}` }, `${known?.name ?? `Job ${jobId}`} failed`), "bad");
}

function chooseTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  theme.value = name;
}

theme.addEventListener("change", () => {
  chooseTheme(theme.value);
  localStorage.setItem("theme", theme.value);
});
document.querySelector("#sign-out").addEventListener("click", async () => {
  await signOut();
  start(null);
});
addEventListener("hashchange", () => {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  scrollTo(0, 0);
  show().then(() => main.focus({ preventScroll: true }));
});
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = main.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && event.target.matches?.("input[type=search]")) {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input"));
    event.target.blur();
  }
});
addEventListener("signed-out", () => {
  if (token) start(null);
});

chooseTheme(localStorage.getItem("theme") ?? "");
start(await whoIsIt().catch(() => null));
