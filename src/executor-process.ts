/**
 * The main script of an executor process: a workerd of its own that runs isolates for the edge and can be killed at any
 * time. The supervisor (executor/supervisor.node.ts) starts it and reads its standard output, which is the start
 * journal: one line with a call's id just before its code starts. Whatever happens to the process, the journal says
 * exactly which calls had started.
 */
import { splitFrame, type RunHead } from "./model/frame.ts";
import { FrameReader } from "./executor/frames.ts";
import { Gate, type GateProps } from "./executor/gate.ts";
import { type Answer, answerGroup } from "./executor/group-answers.ts";
import { LoaderExecutor } from "./executor/loader-executor.ts";
import { platformOverHttp } from "./executor/platform-over-http.ts";
import { callId, NEED_DEFINITION, REFUSED, SECRET_HEADER, START_FENCE_MS } from "./executor/protocol.ts";
import type { IsolateDefinition } from "./model/invocation.ts";

export { Gate };

type Env = { LOADER: WorkerLoader; EDGE: Fetcher; SECRET: string };
type Exports = { Gate: (options: { props: GateProps }) => Fetcher };
type Call = { head: RunHead; input: string };

const NOT_LOADED = new Error("the isolate is not loaded");

const loaded = new Set<string>();
const running = new Set<string>();
/** Cancelled before they started, the latest of them: the call may be on its way, or wait for its turn in a group. */
const cancelledEarly = new Set<string>();
const MOST_CANCELLED_EARLY = 1_000;
let draining = false;
let executor: LoaderExecutor | undefined;

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    if (request.headers.get(SECRET_HEADER) !== env.SECRET) return new Response(null, { status: 401 });
    executor ??= new LoaderExecutor({
      loader: env.LOADER,
      gate: (ctx as unknown as { exports: Exports }).exports.Gate,
      platform: platformOverHttp(env.EDGE),
    });
    switch (new URL(request.url).pathname) {
      case "/run":
        return runOne(await request.text(), executor);
      case "/runs":
        return runGroup(await request.text(), executor);
      case "/cancel": {
        cancel(await request.text(), executor);
        return new Response(null, { status: 204 });
      }
      case "/drain":
        draining = true;
        return Response.json({ isolates: loaded.size, inflight: running.size });
      case "/ping":
        return Response.json({ isolates: loaded.size, inflight: running.size });
      case "/journal":
        for (const id of running) console.log(id);
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 404 });
    }
  },
};

async function runOne(frame: string, loader: LoaderExecutor): Promise<Response> {
  const call = parseCall(frame);
  const { status, text } = await run(call, call.head.definition, loader);
  return new Response(text, { status });
}

function runGroup(body: string, loader: LoaderExecutor): Promise<Response> {
  const frames = new FrameReader();
  frames.push(body);
  const calls: Call[] = [];
  const definitions = new Map<string, IsolateDefinition>();
  for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
    const call = parseCall(frame.text);
    const { isolate, definition } = call.head;
    if (definition !== undefined) definitions.set(isolate, definition);
    calls.push(call);
  }
  return answerGroup(calls.map((call) => () => run(call, definitions.get(call.head.isolate), loader)));
}

function cancel(id: string, loader: LoaderExecutor): void {
  if (running.has(id)) return loader.cancel(id);
  cancelledEarly.add(id);
  const [oldest] = cancelledEarly;
  if (cancelledEarly.size > MOST_CANCELLED_EARLY && oldest !== undefined) cancelledEarly.delete(oldest);
}

function parseCall(frame: string): Call {
  const [head, input] = splitFrame(frame);
  return { head: JSON.parse(head) as RunHead, input };
}

async function run(
  { head, input }: Call,
  definition: IsolateDefinition | undefined,
  loader: LoaderExecutor,
): Promise<Answer> {
  const { meta, isolate } = head;
  if (definition === undefined && !loaded.has(isolate)) return { status: NEED_DEFINITION, text: "" };
  // A call this old may have been moved to another process already: see START_FENCE_MS.
  const now = Date.now();
  const id = callId(meta);
  if (draining || now - head.sent_at_ms > START_FENCE_MS || now > head.start_by_ms || cancelledEarly.delete(id))
    return { status: REFUSED, text: "" };
  const load = async () => {
    if (definition !== undefined) return definition;
    throw NOT_LOADED;
  };
  console.log(id);
  loaded.add(isolate);
  running.add(id);
  try {
    return { status: 200, text: await loader.runFrame({ id: isolate, operation: meta.operation, load }, input, meta) };
  } catch (thrown) {
    // It was sent once, but what came of it was not kept: a module that does not parse, say.
    if (thrown !== NOT_LOADED) throw thrown;
    return { status: NEED_DEFINITION, text: "" };
  } finally {
    running.delete(id);
  }
}
