// The page that explains the API: shows what `openapi.json` says, operation by operation, and searches it.

import { fill, h } from "../element.js";
import { fields, typeOf } from "./schema.js";

const main = document.querySelector("#main");
const contents = document.querySelector("#contents");
const find = document.querySelector("#find");
const found = document.querySelector("#found");
const theme = document.querySelector("#theme");

function chooseTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  theme.value = name;
}

/** Text with `code`, **strong** words and paragraphs, and lists of lines that begin with a dash. */
function prose(text) {
  const words = (line) => line.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return h("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return h("strong", {}, part.slice(2, -2));
    return part;
  });
  return text.split(/\n\n+/).map((block) => {
    const lines = block.split("\n");
    if (lines.every((line) => line.startsWith("- "))) return h("ul", {}, lines.map((line) => h("li", {}, words(line.slice(2)))));
    return h("p", {}, words(lines.join(" ")));
  });
}

function copied(text) {
  const button = h("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return h("div", { class: "copied" }, h("pre", {}, text), button);
}

const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A value for a parameter of a path. */
function sample(parameter) {
  if (parameter.example !== undefined) return String(parameter.example);
  return parameter.schema?.type === "integer" ? "1" : parameter.name;
}

/** The call as a command that can be pasted once the token is in the environment. */
function curl(api, path, method, operation) {
  const parameters = operation.parameters ?? [];
  let address = api.servers[0].url + path;
  for (const one of parameters.filter((one) => one.in === "path")) address = address.replace(`{${one.name}}`, encodeURIComponent(sample(one)));
  const query = parameters.filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=${encodeURIComponent(sample(one))}`);
  if (query.length > 0) address += `?${query.join("&")}`;
  const lines = [`curl -s${method === "get" ? "" : ` -X ${method.toUpperCase()}`} ${shellQuoted(address)}`];
  const [scheme] = operation.security.map((one) => Object.keys(one)[0]);
  if (scheme === "StorageApiToken") lines.push('-H "X-StorageApi-Token: $TOKEN"');
  if (scheme === "OperatorToken") lines.push('-H "X-Operator-Token: $OPERATOR_TOKEN"');
  const [[type, content] = []] = Object.entries(operation.requestBody?.content ?? {});
  if (type === "application/json") {
    if (Object.keys(content.example ?? {}).length > 0) lines.push(`-d ${shellQuoted(JSON.stringify(content.example))}`);
  } else if (type) {
    lines.push(`-H ${shellQuoted(`Content-Type: ${type}`)}`, "--data-binary @plugin.wasm");
  }
  return lines.join(" \\\n  ");
}

function resolve(api, one) {
  if (!one?.$ref) return one;
  return one.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/").replaceAll("~0", "~")], api);
}

function parameterList(api, parameters) {
  return h("div", { class: "fields" }, parameters.map((one) => h("div", {},
    h("code", {}, one.name), " ", h("span", { class: "of" }, `${one.in} · ${typeOf(api, one.schema)}`),
    one.required ? [" ", h("span", { class: "must" }, "required")] : null,
    one.description ? prose(one.description) : null)));
}

function bodyOf(api, content) {
  return Object.entries(content).map(([type, one]) => {
    const shown = fields(api, one.schema);
    return [
      h("p", {}, h("span", { class: "quiet" }, type), " ", h("span", { class: "of" }, typeOf(api, one.schema))),
      one.example === undefined ? null : copied(JSON.stringify(one.example, null, 2)),
      shown ? h("details", {}, h("summary", {}, "Fields"), shown) : null,
    ];
  });
}

/** What an answer means, what is in it, and an example of each of its errors. Made when somebody opens it. */
function answer(api, status, given) {
  const one = resolve(api, given);
  const made = h("details", { class: "answer" }, h("summary", {},
    h("span", { class: "number", data: { class: status[0] } }, status), " ",
    one["x-codes"] ? one["x-codes"].join(", ") : one.description));
  made.addEventListener("toggle", () => {
    if (!made.open || made.children.length > 1) return;
    const headers = Object.entries(one.headers ?? {}).map(([name, header]) => ({ name, in: "header", ...header }));
    const examples = Object.entries(one.content?.["application/json"]?.examples ?? {});
    made.append(h("div", {},
      one["x-codes"] ? prose(one.description) : null,
      headers.length > 0 ? parameterList(api, headers) : null,
      one["x-codes"] ? null : bodyOf(api, one.content ?? {}),
      examples.map(([code, example]) => h("details", {}, h("summary", {}, code), copied(JSON.stringify(resolve(api, example).value, null, 2))))));
  });
  return made;
}

function operationCard(api, { path, method, operation }) {
  const parameters = operation.parameters ?? [];
  const needs = operation.security.map((one) => Object.keys(one)[0]);
  const body = operation.requestBody;
  return h("section", { class: "card operation", id: operation.operationId },
    h("h3", {}, operation.summary),
    h("div", { class: "call" }, h("span", { class: "method", data: { method } }, method.toUpperCase()), h("code", {}, path),
      operation.deprecated ? h("span", { class: "old" }, "deprecated") : null),
    operation.description ? h("div", { class: "prose" }, prose(operation.description)) : null,
    h("p", { class: "quiet" }, needs.length > 0 ? `Needs: ${needs.join(" or ")}` : "Open to all", " · ", h("code", {}, operation.operationId)),
    h("div", { class: "parts" },
      h("div", {},
        parameters.length > 0 ? [h("h4", {}, "Parameters"), parameterList(api, parameters)] : null,
        body ? [h("h4", {}, body.required ? "Body" : "Body (may be absent)"), bodyOf(api, body.content)] : null,
        h("h4", {}, "Answers"), h("div", {}, Object.entries(operation.responses).map(([status, one]) => answer(api, status, one)))),
      h("div", {}, h("h4", {}, "Example"), copied(curl(api, path, method, operation)))));
}

function show(api) {
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
  const cards = [];
  const links = [];
  fill(main, h("h1", {}, api.info.title, " ", h("small", {}, api.info.version)), h("div", { class: "prose" }, prose(api.info.description)));
  fill(contents);
  for (const tag of api.tags) {
    const own = operations.filter((one) => one.operation.tags[0] === tag.name);
    const made = own.map((one) => operationCard(api, one));
    const group = h("section", { class: "group" }, h("header", {}, h("h2", {}, tag.name), h("p", { class: "quiet" }, tag.description)), made);
    const heading = h("h2", {}, tag.name);
    contents.append(heading);
    own.forEach((one, at) => {
      const link = h("a", { href: `#${one.operation.operationId}` },
        h("span", { class: "method", data: { method: one.method } }, one.method.toUpperCase()), h("span", {}, one.operation.summary));
      contents.append(link);
      links.push(link);
      const { operation } = one;
      const text = [one.method, one.path, operation.operationId, operation.summary, operation.description, tag.name].join(" ").toLowerCase();
      cards.push({ card: made[at], link, group, heading, text });
    });
    main.append(group);
  }
  const search = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    const shown = new Set();
    for (const { card, link, group, heading, text } of cards) {
      const fits = words.every((word) => text.includes(word));
      card.hidden = !fits;
      link.hidden = !fits;
      if (fits) {
        count += 1;
        shown.add(group).add(heading);
      }
    }
    for (const { group, heading } of cards) {
      group.hidden = !shown.has(group);
      heading.hidden = !shown.has(heading);
    }
    found.textContent = words.length > 0 ? `${count} operations found` : "";
  };
  find.addEventListener("input", search);
  search();
  main.removeAttribute("aria-busy");
  const goal = location.hash.slice(1);
  if (goal) document.getElementById(goal)?.scrollIntoView();
}

theme.addEventListener("change", () => {
  chooseTheme(theme.value);
  localStorage.setItem("theme", theme.value);
});
chooseTheme(localStorage.getItem("theme") ?? "");
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  find.focus();
});

try {
  const answered = await fetch("openapi.json");
  if (!answered.ok) throw new Error(`the server answered ${answered.status}`);
  show(await answered.json());
} catch (error) {
  fill(main, h("h1", {}, "The API's document cannot be shown"), h("p", { role: "alert" }, error.message));
}
