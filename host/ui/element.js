// Elements, without a framework. Text is always text here: nothing that the server or a user says becomes markup.

/** An element with these attributes and children; `on…` are listeners, `data` its data set. */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (["value", "checked", "disabled", "indeterminate"].includes(name)) made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  append(made, children);
  return made;
}

function append(to, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    to.append(child instanceof Node ? child : String(child));
  }
}

export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** The same, for what is drawn anew while somebody may be at work in it: the focus stays on what it was on. */
export function redraw(element, ...children) {
  const focused = element.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  fill(element, ...children);
  if (focused === null) return;
  const found = [...element.querySelectorAll("a, button, input, select, summary")].find((one) => keyOf(one) === focused);
  found?.focus({ preventScroll: true });
}

const keyOf = (element) => [element.tagName, element.getAttribute("href"), element.getAttribute("aria-label"), element.dataset.task, element.textContent].join(" ");

let lastId = 0;

/** A label over a control; `hint` says more below. */
export function field(label, control, hint) {
  lastId += 1;
  control.id ||= `field-${lastId}`;
  const made = h("div", { class: "field" }, h("label", { for: control.id }, label), control);
  if (hint) {
    const text = h("small", { id: `${control.id}-hint` }, hint);
    control.setAttribute("aria-describedby", text.id);
    made.append(text);
  }
  return made;
}

export function check(label, attributes = {}) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", ...attributes }), h("span", {}, label));
}

export function options(pairs, selected) {
  return pairs.map(([value, text]) => h("option", { value, selected: value === selected }, text));
}
