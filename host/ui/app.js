// What is shown: the page to sign in, or what is live.

import { signIn, signOut, whoIsIt } from "./api.js";
import { showLive } from "./live.js";

const main = document.querySelector("#main");
const who = document.querySelector("#who");
const signOutButton = document.querySelector("#sign-out");
let leave = () => {};

function open(template) {
  leave();
  leave = () => {};
  main.replaceChildren(document.querySelector(template).content.cloneNode(true));
}

function showSignIn() {
  who.hidden = true;
  signOutButton.hidden = true;
  open("#sign-in-page");
  const form = main.querySelector("#sign-in");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      show(await signIn(form.token.value));
    } catch (error) {
      main.querySelector("#refusal").textContent = error.status === 401 ? "This token is not valid." : error.message;
      form.token.select();
    }
  });
  form.token.focus();
}

function show(token) {
  if (!token) {
    showSignIn();
    return;
  }
  who.textContent = `${token.owner.name} · ${token.description}`;
  who.hidden = false;
  signOutButton.hidden = false;
  open("#live-page");
  leave = showLive(main);
}

signOutButton.addEventListener("click", async () => {
  await signOut();
  showSignIn();
});

show(await whoIsIt());
