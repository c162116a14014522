// A form made from a JSON schema: one control per property of a simple type, and JSON for all else.

import { check, field, h, options } from "../element.js";

/** An element, and `read` for what it holds, which throws where that is no JSON. */
export function schemaForm(schema, value = {}) {
  const properties = Object.entries(schema?.properties ?? {});
  const known = properties.map(([name, of]) => control(name, of, value[name], schema.required?.includes(name)));
  const others = Object.fromEntries(Object.entries(value).filter(([name]) => !(name in (schema?.properties ?? {}))));
  const isOpen = schema?.additionalProperties !== false || Object.keys(others).length > 0;
  const rest = isOpen && h("textarea", { spellcheck: "false", rows: 4, value: JSON.stringify(others, null, 2) });
  const element = h("div", { class: "grid" }, known.map((one) => one.element));
  const whole = h("div", { class: "field" }, known.length > 0 && element, rest && field(known.length > 0 ? "Further parameters (JSON)" : "Parameters (JSON)", rest));
  const read = () => {
    const made = rest ? parse(rest) : {};
    for (const one of known) {
      const read = one.read();
      if (read !== undefined) made[one.name] = read;
    }
    return made;
  };
  return { element: whole, read };
}

function parse(area) {
  try {
    area.removeAttribute("aria-invalid");
    return area.value.trim() === "" ? undefined : JSON.parse(area.value);
  } catch (error) {
    area.setAttribute("aria-invalid", "true");
    area.focus();
    throw new Error(`This is no JSON: ${error.message}`);
  }
}

function control(name, schema, value, isRequired) {
  const label = `${schema.title ?? name}${isRequired ? " *" : ""}`;
  const made = (input, read) => ({ name, read, element: field(label, input, schema.description) });
  const types = [schema.type].flat();
  if (schema.enum) {
    const select = h("select", {}, options([["", "–"], ...schema.enum.map((one, at) => [String(at), String(one)])], value === undefined ? "" : String(schema.enum.indexOf(value))));
    return made(select, () => (select.value === "" ? undefined : schema.enum[Number(select.value)]));
  }
  if (types.includes("boolean")) {
    const box = h("input", { type: "checkbox", checked: value ?? schema.default ?? false });
    const wrapped = h("div", { class: "field" }, h("label", { class: "check" }, box, h("span", {}, label)), schema.description && h("small", {}, schema.description));
    return { name, element: wrapped, read: () => (box.checked || value !== undefined ? box.checked : undefined) };
  }
  if (types.some((type) => type === "number" || type === "integer") && !types.includes("string")) {
    const input = h("input", { type: "number", min: schema.minimum, max: schema.maximum, step: types.includes("integer") ? 1 : "any", value: value ?? "", placeholder: schema.default ?? "" });
    return made(input, () => (input.value === "" ? undefined : Number(input.value)));
  }
  if (types.includes("string")) {
    const input = h("input", { type: "text", maxlength: schema.maxLength, value: typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value), placeholder: schema.default ?? "", spellcheck: "false" });
    return made(input, () => (input.value === "" ? undefined : input.value));
  }
  const area = h("textarea", { spellcheck: "false", value: value === undefined ? "" : JSON.stringify(value, null, 2), placeholder: "JSON" });
  return made(area, () => parse(area));
}
