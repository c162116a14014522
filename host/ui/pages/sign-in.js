// Signing in with a token, which stands for its project.

import { signIn } from "../api.js";
import { field, fill, h } from "../element.js";

/** A demo's link brings the token behind the `#`, which no server sees; it does not stay in the history. */
function tokenOfLink() {
  const [path, query] = location.hash.split("?");
  if (path !== "#/sign-in") return "";
  history.replaceState(null, "", "#/");
  return new URLSearchParams(query).get("token") ?? "";
}

export function signInPage(page, start) {
  const token = h("input", { name: "token", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" });
  const refusal = h("p", { id: "refusal", role: "alert" });
  const button = h("button", { class: "primary", type: "submit" }, "Sign in");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await start(await signIn(token.value));
    } catch (error) {
      refusal.textContent = error.status === 401 ? "This token is not valid." : error.message;
      token.select();
    } finally {
      button.disabled = false;
    }
  };
  fill(page, h("form", { id: "sign-in", class: "card", onsubmit: submit },
    h("h1", {}, h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), "Orchestrator"),
    h("p", { class: "quiet" }, "See what runs, what ran and what comes next. A token belongs to one project: to see another one, sign in with its token."),
    // For those who keep passwords: what this one belongs to.
    h("input", { type: "text", autocomplete: "username", value: "Orchestrator", hidden: true }),
    field("Token of your project", token),
    refusal,
    button));
  document.title = "Sign in · Orchestrator";
  const given = tokenOfLink();
  token.value = given;
  // Never signed in by a link alone: whoever follows one sees that it would.
  (given ? button : token).focus();
}
