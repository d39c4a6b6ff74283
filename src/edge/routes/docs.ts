/**
 * GET /docs: one page to read and try the operations. The page is public, the data is not: it asks for a token, keeps
 * it in the tab's memory only, and loads /openapi.json with it. No script or style comes from elsewhere.
 */
import { randomId } from "../../core/ids.ts";

export function docs(): Response {
  const nonce = randomId(20);
  return new Response(page(nonce), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": `default-src 'none'; connect-src 'self'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

const page = (nonce: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Switchyard operations</title>
<style nonce="${nonce}">
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  input, textarea, button { font: inherit; padding: .4rem .6rem; }
  textarea, pre { width: 100%; box-sizing: border-box; font: 14px/1.4 ui-monospace, monospace; overflow: auto; }
  pre { padding: .6rem; border: 1px solid #8886; border-radius: .3rem; }
  details { border-bottom: 1px solid #8886; padding: .5rem 0; }
  summary { cursor: pointer; } summary code { font-weight: 600; }
  .group { opacity: .7; margin-left: .6rem; } .error { color: #c33; } form { display: flex; gap: .5rem; }
  form input { flex: 1; }
</style>
<h1>Operations</h1>
<form id="open"><label for="token">Token</label><input id="token" type="password" autocomplete="off" placeholder="sy_…  (opctl token show)">
<button>Load</button></form>
<p id="status" role="status"></p>
<p><label>Filter <input id="filter" type="search"></label></p>
<main id="list"></main>
<script type="module" nonce="${nonce}">
  const byId = (id) => document.getElementById(id);
  const element = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  let token = "";
  const request = (path, options = {}) =>
    fetch(path, { ...options, headers: { authorization: "Bearer " + token, ...options.headers } });
  const pretty = (value) => JSON.stringify(value, null, 2);

  function example(schema) {
    if (typeof schema !== "object" || schema === null) return {};
    if ("default" in schema) return schema.default;
    if ("const" in schema) return schema.const;
    if (schema.enum) return schema.enum[0];
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
    if (type === "object" || schema.properties) {
      const required = new Set(schema.required ?? []);
      return Object.fromEntries(Object.entries(schema.properties ?? {})
        .filter(([key]) => required.has(key)).map(([key, value]) => [key, example(value)]));
    }
    return { string: "", integer: 0, number: 0, boolean: false, array: [], null: null }[type] ?? {};
  }

  // What a type refers to by name stands elsewhere in the document that it came with.
  const resolve = (document, schema) => {
    const reference = schema?.$ref;
    if (typeof reference !== "string" || !reference.startsWith("#/components/schemas/")) return schema;
    return document.components.schemas[reference.slice("#/components/schemas/".length)] ?? schema;
  };
  const first = (media, key) => Object.values(media?.examples ?? {})[0]?.[key];

  async function send(call, answer, path, options) {
    call.disabled = true;
    try {
      const response = await request(path, options);
      const text = await response.text();
      answer.className = response.ok ? "" : "error";
      try { answer.textContent = response.status + "\\n" + pretty(JSON.parse(text)); } catch { answer.textContent = text; }
    } catch (error) { answer.className = "error"; answer.textContent = String(error); }
    answer.hidden = false; call.disabled = false;
  }

  function card(title, operation, ...parts) {
    return element("details", {},
      element("summary", {}, element("code", { textContent: title }),
        element("span", { className: "group", textContent: operation.tags[0] + " · revision " + operation["x-revision"] })),
      element("p", { textContent: operation.description ?? operation.summary }), ...parts);
  }

  function byName(document, path, operation) {
    const media = operation.requestBody.content["application/json"];
    const input = resolve(document, media.schema);
    const result = operation.responses["200"].content["application/json"];
    const shown = media.examples === undefined ? example(input) : first(media, "value");
    const body = element("textarea", { rows: 6, value: pretty(shown), ariaLabel: "Input of " + operation.operationId });
    const answer = element("pre", { hidden: true });
    const call = element("button", { textContent: "Call" });
    call.onclick = () => send(call, answer, path,
      { method: "POST", body: body.value, headers: { "content-type": "application/json" } });
    return card(operation.operationId, operation,
      element("h4", { textContent: "Input type" }), element("pre", { textContent: pretty(input) }),
      element("h4", { textContent: "Output type" }), element("pre", { textContent: pretty(resolve(document, result.schema)) }),
      ...examples(media, result), element("h4", { textContent: "Try it" }), body, call, answer);
  }

  function examples(media, result) {
    return Object.entries(media.examples ?? {}).flatMap(([key, { summary, value }]) => {
      const output = result.examples?.[key];
      return [element("h4", { textContent: "Example" + (summary === undefined ? "" : ": " + summary) }),
        element("pre", { textContent: pretty(value) + (output === undefined ? "" : "\\n→ " + pretty(output.value)) })];
    });
  }

  function atPath(document, path, method, operation) {
    const fields = operation.parameters.map((parameter) => {
      const media = parameter.content?.["application/json"];
      const value = media === undefined ? parameter.example : media.example;
      const texts = value === undefined ? [] : Array.isArray(value) && parameter.in === "query" ? value : [value];
      const text = texts.map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join("\\n");
      const input = element("textarea", { rows: Math.max(1, texts.length), value: text, id: operation.operationId + " " + parameter.name });
      return { parameter, input };
    });
    const media = operation.requestBody?.content["application/json"];
    const schema = resolve(document, media?.schema);
    const body = media === undefined ? undefined : element("textarea", { rows: 6, value: pretty(example(schema)), ariaLabel: "Body" });
    const answer = element("pre", { hidden: true });
    const call = element("button", { textContent: "Call" });
    call.onclick = () => {
      let target = path;
      const query = new URLSearchParams();
      for (const { parameter, input } of fields) {
        if (parameter.in === "path") target = target.replace("{" + parameter.name + "}", () => encodeURIComponent(input.value));
        // Of a list each line is an item; what was left empty is not sent.
        else for (const line of input.value.split("\\n")) if (line !== "") query.append(parameter.name, line);
      }
      const text = query.toString();
      return send(call, answer, target + (text === "" ? "" : "?" + text), { method: method.toUpperCase(),
        ...(body === undefined ? {} : { body: body.value, headers: { "content-type": "application/json" } }) });
    };
    return card(method.toUpperCase() + " " + path, operation,
      element("p", { textContent: "Calls " + operation.operationId.replace(/:path$/, "") }),
      ...fields.flatMap(({ parameter, input }) => [
        element("label", { htmlFor: input.id, textContent: parameter.name + " (" + parameter.in + (parameter.required ? ", required" : "") + ")" }), input]),
      ...(body === undefined ? [] : [element("h4", { textContent: "Body" }), element("pre", { textContent: pretty(schema) }), body]),
      call, answer);
  }

  async function load() {
    byId("list").replaceChildren();
    byId("status").className = "";
    let cursor, count = 0;
    do {
      const response = await request("/openapi.json?limit=500" + (cursor ? "&cursor=" + encodeURIComponent(cursor) : ""));
      const document = await response.json();
      if (!response.ok) { byId("status").className = "error"; byId("status").textContent = document.detail ?? document.title; return; }
      for (const [path, item] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(item)) {
          if (!("x-revision" in operation)) continue;
          const named = path === "/ops/" + operation.operationId;
          byId("list").append(named ? byName(document, path, operation) : atPath(document, path, method, operation));
          if (named) count++;
        }
      }
      cursor = document["x-next-cursor"];
    } while (cursor && count < 5000);
    byId("status").textContent = count + " operations";
  }
  byId("open").onsubmit = (event) => {
    event.preventDefault();
    token = byId("token").value.trim();
    load().catch((error) => { byId("status").textContent = String(error); });
  };
  byId("filter").oninput = (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const node of byId("list").children) node.hidden = !node.textContent.toLowerCase().includes(wanted);
  };
</script>
</html>
`;
