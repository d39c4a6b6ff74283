/**
 * The main script of an executor process: a workerd of its own that runs isolates for the edge and can be killed at any
 * time. The supervisor (executor/supervisor.node.ts) starts it and reads its standard output, which is the start
 * journal: one line with an execution's id just before its code starts. Whatever happens to the process, the journal
 * says exactly which calls had started.
 */
import { splitFrame, type RunHead } from "./executor/frame.ts";
import { Gate, type GateProps } from "./executor/gate.ts";
import { LoaderExecutor } from "./executor/loader-executor.ts";
import { callOverHttp } from "./executor/call-over-http.ts";
import { NEED_DEFINITION, SECRET_HEADER, START_FENCE_MS, REFUSED } from "./executor/protocol.ts";

export { Gate };

type Env = { LOADER: WorkerLoader; EDGE: Fetcher; SECRET: string };
type Exports = { Gate: (options: { props: GateProps }) => Fetcher };

const NOT_LOADED = new Error("the isolate is not loaded");

const loaded = new Set<string>();
const running = new Set<string>();
let draining = false;
let executor: LoaderExecutor | undefined;

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    if (request.headers.get(SECRET_HEADER) !== env.SECRET) return new Response(null, { status: 401 });
    const { pathname } = new URL(request.url);
    if (pathname === "/ping") return Response.json({ isolates: loaded.size, inflight: running.size });
    if (pathname === "/drain") {
      draining = true;
      return Response.json({ isolates: loaded.size, inflight: running.size });
    }
    if (pathname === "/journal") {
      for (const id of running) console.log(id);
      return new Response(null, { status: 204 });
    }
    if (pathname !== "/run") return new Response(null, { status: 404 });

    const [headText, input] = splitFrame(await request.text());
    const head = JSON.parse(headText) as RunHead;
    const { meta, isolate, definition } = head;
    if (definition === undefined && !loaded.has(isolate)) return new Response(null, { status: NEED_DEFINITION });
    // A call this old may have been moved to another process already: see START_FENCE_MS.
    const now = Date.now();
    if (draining || now - head.sent_at_ms > START_FENCE_MS || now > head.start_by_ms)
      return new Response(null, { status: REFUSED });

    executor ??= new LoaderExecutor({
      loader: env.LOADER,
      gate: (ctx as unknown as { exports: Exports }).exports.Gate,
      callOperation: callOverHttp(env.EDGE),
    });
    console.log(meta.execution_id);
    loaded.add(isolate);
    running.add(meta.execution_id);
    try {
      return new Response(
        await executor.runFrame(
          {
            id: isolate,
            operation: meta.operation,
            load: async () => {
              if (definition !== undefined) return definition;
              throw NOT_LOADED;
            },
          },
          input,
          meta,
        ),
      );
    } catch (thrown) {
      // It was sent once, but what came of it was not kept: a module that does not parse, say.
      if (thrown !== NOT_LOADED) throw thrown;
      return new Response(null, { status: NEED_DEFINITION });
    } finally {
      running.delete(meta.execution_id);
    }
  },
};
