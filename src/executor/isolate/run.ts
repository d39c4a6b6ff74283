/**
 * Source of the module `switchyard-run.js`, which runs one call wherever the code is loaded: in an isolate of workerd
 * (main.ts) or in a process of a host (src/host). It is loaded before the operation's own module and takes hold of what
 * it needs of the language.
 *
 * `runCall()` never rejects. It answers one text: a line of JSON (an InvocationResult without its output), then the output.
 */
import { LIMITS } from "../../core/limits.ts";

export const RUN_MODULE = String.raw`
import { AsyncLocalStorage } from "node:async_hooks";
import { abort, createContext, metaOf } from "./switchyard-context.js";
import { findNonJson } from "./switchyard-json.js";
import { Log, cap, describeError, redactor, show } from "./switchyard-log.js";

const MAX_BYTES = ${LIMITS.jsonBytes};
const QUICK_TURNS = 12;
const LIVE_MS = 200;
const MAX_DEPTH = ${LIMITS.jsonDepth};
const { parse, stringify } = JSON;
const { freeze } = Object;
const { setTimeout, clearTimeout, Promise, Error } = globalThis;
const { isFinite } = Number;
const utf8 = new TextEncoder();
const encode = utf8.encode.bind(utf8);
const current = new AsyncLocalStorage();
const withLog = current.run.bind(current);
const currentLog = current.getStore.bind(current);

// console.* belongs to the invocation that calls it; outside one there is nobody to tell.
const levels = { debug: "debug", trace: "debug", log: "info", info: "info", dir: "info", table: "info", warn: "warn", error: "error" };
const quiet = { assert(ok, ...args) { if (!ok) currentLog()?.write("error", ["Assertion failed:", ...args]); } };
for (const name of ["clear", "count", "countReset", "group", "groupCollapsed", "groupEnd", "time", "timeEnd", "timeLog"]) quiet[name] = () => {};
for (const name in levels) quiet[name] = (...args) => currentLog()?.write(levels[name], args);
globalThis.console = quiet;

// The time-out is the platform's: code that clears every timer it can number must not clear this one.
const timeouts = new Set();
const isTimeout = timeouts.has.bind(timeouts);
const addTimeout = timeouts.add.bind(timeouts);
const dropTimeout = timeouts.delete.bind(timeouts);
const guarded = (id) => {
  const number = +id;
  if (!isTimeout(number)) clearTimeout(number);
};
globalThis.clearTimeout = guarded;
globalThis.clearInterval = guarded;

let handlerModule;
const MAY = freeze({ kind: "may" });
const failure = (code, detail, retry = MAY, extras) => ({ code, detail, retry, extras });

async function load({ exportName, importHandler }) {
  if (handlerModule === undefined) {
    try {
      handlerModule = await importHandler();
    } catch (thrown) {
      return failure("module_invalid", "Cannot load the module: it threw while loading; it is " + describeError(thrown));
    }
  }
  if (typeof handlerModule[exportName] !== "function") {
    const kind = exportName in handlerModule ? "is " + (handlerModule[exportName] === null ? "null" : "of type " + typeof handlerModule[exportName]) : "is missing";
    return failure("module_invalid", 'Cannot run the export "' + exportName + '": it must be a function; it ' + kind);
  }
  return handlerModule[exportName];
}

function failureOf(thrown) {
  let code, afterMs, outbound;
  const detail = describeError(thrown);
  try {
    code = thrown?.code;
    afterMs = thrown?.after_ms;
  } catch {
    // A getter that throws says nothing about trying again.
  }
  if (detail.includes("not permitted to access the internet")) outbound = { hint: "List the host in the operation's network to let the code reach it." };
  if (code === "terminal") return failure("implementation_failed", detail, { kind: "never" }, outbound);
  // What ctx.call was refused with for a rate limit says when, too: a handler that lets it through is tried again then.
  if ((code === "retry_after" || code === "rate_limited") && typeof afterMs === "number" && isFinite(afterMs) && afterMs >= 0) {
    return failure("implementation_failed", detail, { kind: "after", after_ms: afterMs }, outbound);
  }
  return failure("implementation_failed", detail, MAY, outbound);
}

function outputText(value) {
  const found = findNonJson(value, MAX_DEPTH);
  if (found) {
    const what = found.pointer === "" ? "the answer" : 'the answer at "' + found.pointer + '"';
    return failure("output_not_json", "Cannot return the handler's answer: it must be a JSON value; " + what + " is " + found.what, MAY, {
      errors: [{ pointer: found.pointer, keyword: "json", detail: "is " + found.what }],
      ...(value === undefined ? { hint: "Return null when there is nothing to say." } : {}),
    });
  }
  const output = stringify(value);
  if (typeof output !== "string") return failure("output_not_json", "Cannot return the handler's answer: it must be a JSON value; it is undefined");
  // A character is at most three bytes, so most answers need no count.
  if (output.length * 3 > MAX_BYTES && (output.length > MAX_BYTES || encode(output).length > MAX_BYTES)) {
    return failure("output_too_large", "Cannot return the handler's answer: it must be at most " + MAX_BYTES + " bytes of JSON; it is " + encode(output).length);
  }
  return output;
}

/** What all calls of one isolate share; importHandler() loads the operation's own module. */
export const prepare = (exportName, secrets, importHandler) =>
  freeze({ secrets: freeze(secrets), exportName, redact: redactor(secrets), importHandler });

export async function runCall(settings, timeoutMs, metaText, input, platform) {
  const { secrets, redact } = settings;
  const log = new Log(redact);
  const ctx = createContext(metaText, log, secrets, platform);
  const work = withLog(log, async () => {
    try {
      const handler = await load(settings);
      if (typeof handler !== "function") return handler;
      return outputText(await handler(parse(input), ctx));
    } catch (thrown) {
      const failed = failureOf(thrown);
      if (thrown !== null && typeof thrown === "object") log.write("error", [show(thrown)]);
      return failed;
    }
  });
  const end = await within(work, timeoutMs, ctx, log, platform);
  if (typeof end === "string") return (log.lines.length === 0 ? '{"ok":true,"logs":[]}' : stringify({ ok: true, logs: log.lines })) + "\n" + end;
  const error = { code: end.code, detail: cap(redact(end.detail)), ...end.extras };
  return stringify({ ok: false, error, retry: end.retry, logs: log.lines }) + "\n";
}

/**
 * What the work comes to, or a failure when it takes longer than its time-out. Most handlers are through within a few
 * microtasks and need no timer, which costs more than all the rest here.
 */
async function within(work, timeoutMs, ctx, log, platform) {
  let end;
  (async () => {
    end = await work;
  })();
  for (let turn = 0; turn < QUICK_TURNS && end === undefined; turn++) await undefined;
  if (end !== undefined) return end;
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => {
      abort(ctx, new Error("the operation's time-out of " + timeoutMs + " ms is over"));
      resolve(failure("timeout", 'Cannot finish "' + metaOf(ctx).operation + '": it may run for ' + timeoutMs + " ms; it is still running"));
    }, timeoutMs);
  });
  addTimeout(+timer);
  const stopTelling = metaOf(ctx).live === true ? tellLines(log, platform) : undefined;
  end = await race(work, late);
  stopTelling?.();
  clearTimeout(timer);
  dropTimeout(+timer);
  return end;
}

/** Sends the log as it grows, until the function that it returns is called. */
function tellLines(log, platform) {
  let timer;
  let told = 0;
  let over = false;
  const arm = () => {
    timer = setTimeout(tell, LIVE_MS);
    addTimeout(+timer);
  };
  const disarm = () => {
    clearTimeout(timer);
    dropTimeout(+timer);
  };
  const tell = async () => {
    disarm();
    const { lines } = log;
    if (lines.length > told) {
      const fresh = [];
      for (let i = told; i < lines.length; i++) fresh[i - told] = lines[i];
      const first = told;
      told = lines.length;
      try {
        await platform.log(first, stringify(fresh));
      } catch {
        // They come with the result.
      }
    }
    if (!over) arm();
  };
  arm();
  return () => {
    over = true;
    disarm();
  };
}

/** Promise.race leans on what code could have patched; this does not. */
function race(a, b) {
  return new Promise((resolve) => {
    const settle = async (promise) => resolve(await promise);
    settle(a);
    settle(b);
  });
}
`;
