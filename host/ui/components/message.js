// What became of something, said in a corner for some seconds.

import { h } from "../element.js";

/** What went wrong stays for longer. */
const SHOWN_MILLISECONDS = { good: 6000, bad: 15_000 };
const MOST_AT_ONCE = 4;

/** `text` may hold elements. */
export function say(text, kind = "good") {
  const message = h("p", { class: "message", data: { kind } }, text);
  const all = document.querySelector("#messages");
  all.append(message);
  if (all.childElementCount > MOST_AT_ONCE) all.firstElementChild.remove();
  setTimeout(() => message.remove(), SHOWN_MILLISECONDS[kind]);
}

/** Does it, with the button at rest meanwhile, and says what went wrong. */
export async function attempt(button, act) {
  if (button) button.disabled = true;
  try {
    return await act();
  } catch (error) {
    say(error.message, "bad");
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}
