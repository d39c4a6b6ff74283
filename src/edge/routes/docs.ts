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

  function card(path, operation) {
    const input = operation.requestBody.content["application/json"].schema;
    const output = operation.responses["200"].content["application/json"].schema;
    const body = element("textarea", { rows: 6, value: pretty(example(input)), ariaLabel: "Input of " + operation.operationId });
    const answer = element("pre", { hidden: true });
    const call = element("button", { textContent: "Call" });
    call.onclick = async () => {
      call.disabled = true;
      try {
        const response = await request(path, { method: "POST", body: body.value, headers: { "content-type": "application/json" } });
        const text = await response.text();
        answer.className = response.ok ? "" : "error";
        try { answer.textContent = response.status + "\\n" + pretty(JSON.parse(text)); } catch { answer.textContent = text; }
      } catch (error) { answer.className = "error"; answer.textContent = String(error); }
      answer.hidden = false; call.disabled = false;
    };
    return element("details", {},
      element("summary", {}, element("code", { textContent: operation.operationId }),
        element("span", { className: "group", textContent: operation.tags[0] + " · revision " + operation["x-revision"] })),
      element("p", { textContent: operation.summary }),
      element("h4", { textContent: "Input type" }), element("pre", { textContent: pretty(input) }),
      element("h4", { textContent: "Output type" }), element("pre", { textContent: pretty(output) }),
      element("h4", { textContent: "Try it" }), body, call, answer);
  }

  async function load() {
    byId("list").replaceChildren();
    byId("status").className = "";
    let cursor, count = 0;
    do {
      const response = await request("/openapi.json" + (cursor ? "?cursor=" + encodeURIComponent(cursor) : ""));
      const document = await response.json();
      if (!response.ok) { byId("status").className = "error"; byId("status").textContent = document.detail ?? document.title; return; }
      for (const [path, item] of Object.entries(document.paths)) {
        if (item.post && "x-revision" in item.post) { byId("list").append(card(path, item.post)); count++; }
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
