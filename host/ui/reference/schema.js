// Schemas for people: the type in a few words, and the fields of objects, opened as deep as somebody looks.

import { h } from "../element.js";

const nameOf = (schema) => schema.$ref?.split("/").at(-1);
const named = (api, schema) => (schema.$ref ? { ...api.components.schemas[nameOf(schema)], ...schema, $ref: undefined } : schema);
const isNull = (schema) => schema.type === "null";

/** `list of Task or null` */
export function typeOf(api, schema) {
  if (!schema || schema === true) return "anything";
  if (schema.$ref) return nameOf(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(", ");
  const choice = schema.anyOf ?? (schema.type ? undefined : schema.oneOf);
  if (choice) return [...new Set(choice.map((one) => typeOf(api, one)))].join(" or ");
  if (schema.allOf && !schema.type) return schema.allOf.map((one) => typeOf(api, one)).join(" and ");
  const types = [schema.type ?? []].flat();
  const words = types.map((type) => {
    if (type === "array") return schema.maxItems === 0 ? "[]" : `list of ${typeOf(api, schema.items)}`;
    if (type === "string" && schema.format) return schema.format;
    return type;
  });
  return words.join(" or ") || "anything";
}

function bounds(schema) {
  const said = [];
  if (schema.minimum !== undefined || schema.maximum !== undefined) said.push(`${schema.minimum ?? ""}–${schema.maximum ?? ""}`);
  if (schema.maxLength) said.push(`at most ${schema.maxLength} characters`);
  if (schema.maxItems) said.push(`at most ${schema.maxItems}`);
  if (schema.default !== undefined) said.push(`default ${schema.default}`);
  return said.length > 0 ? ` · ${said.join(", ")}` : "";
}

/** The object that there are fields of: behind names, lists and choices with null. */
function objects(api, schema, seen) {
  if (!schema || schema === true) return [];
  const name = nameOf(schema);
  if (name && seen.includes(name)) return [];
  const at = name ? [...seen, name] : seen;
  const one = named(api, schema);
  if (one.properties && Object.keys(one.properties).length > 0) return [{ schema: one, seen: at }];
  if (one.items) return objects(api, one.items, at);
  return (one.anyOf ?? one.oneOf ?? []).filter((other) => !isNull(other)).flatMap((other) => objects(api, other, at));
}

/** The fields of an object, or of what a list holds; null where there are none. */
export function fields(api, schema, seen = []) {
  const all = objects(api, schema, seen);
  if (all.length === 0) return null;
  return all.map(({ schema: one, seen: at }) => h("div", { class: "fields" }, Object.entries(one.properties).map(([name, property]) => {
    const isRequired = one.required?.includes(name);
    const description = property.description ?? (property.$ref ? undefined : named(api, property).description);
    const line = h("div", {}, h("code", {}, name), " ",
      h("span", { class: "of" }, typeOf(api, property), bounds(property)),
      isRequired ? [" ", h("span", { class: "must" }, "required")] : null,
      description ? h("div", {}, description.replaceAll("`", "")) : null);
    if (objects(api, property, at).length > 0) {
      const inner = h("details", {}, h("summary", { class: "of" }, "Fields"));
      inner.addEventListener("toggle", () => {
        if (inner.open && inner.children.length === 1) inner.append(...fields(api, property, at));
      });
      line.append(inner);
    }
    return line;
  })));
}
