/**
 * Jobs as adapters and callbacks use them: the port in front of the boards (job-board.ts), and the tickets. What must not
 * lie around is left out of the order that is kept and added when the order is fetched: the definition with its secrets, asked
 * of the registry for the pinned revision, and the capability, issued anew so that it outlives the run and not the queue.
 */
import type { IsolateSource, JobsPort } from "../../adapters/adapter.ts";
import { QUEUE_LIMIT_MS } from "../../adapters/job.ts";
import { SwitchyardError } from "../../core/errors.ts";
import { shardOfExecutionId } from "../../core/ids.ts";
import type { Capabilities } from "../../dispatch/capability.ts";
import type { Tickets } from "../../dispatch/ticket.ts";
import { splitFrame } from "../../model/frame.ts";
import type { HostOrder } from "../../model/host-protocol.ts";
import type { InvocationMeta } from "../../model/invocation.ts";
import type { ResolvedOperation } from "../../model/resolved.ts";
import type { JobCallbacks } from "./job-callbacks.ts";
import type { JobBoard } from "./job-board.ts";

export type JobsOptions = {
  tickets: Tickets;
  capabilities: Capabilities;
  registry: IsolateSource & {
    resolve(name: string, wanted: { revision?: number }): Promise<{ operation: ResolvedOperation }>;
  };
  platformUrl: string | undefined;
  now: () => number;
};

/** The head of an order as it is kept. */
type KeptHead = HostOrder & { principal: { id: string; depth: number } };

/** A ticket outlives the longest wait for a place and the run by this. */
const SLACK_MS = 15 * 60_000;
/** An object that starts again fails what it was asked; nothing it is asked does harm twice. */
const TRIES = 3;
const AGAIN_MS = 100;

/** The adapters' port and the callbacks' in one, over the boards of the namespace. */
export function jobsPort(namespace: DurableObjectNamespace<JobBoard>, options: JobsOptions): JobsPort & JobCallbacks {
  const { tickets, capabilities, registry, platformUrl, now } = options;

  const ask = async <T>(id: string, question: (board: DurableObjectStub<JobBoard>) => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        // A stub of an object that has failed goes on failing.
        return await question(namespace.getByName(boardOf(id)));
      } catch (cause) {
        if (tries === TRIES) {
          const detail = `Cannot reach the job "${id}": the object that keeps it must answer; it failed with ${String(cause)}`;
          throw new SwitchyardError("state_unavailable", detail, { cause });
        }
        await scheduler.wait(AGAIN_MS * tries);
      }
    }
  };

  return {
    async open({ meta, environment, order }) {
      const [headText, input] = splitFrame(order);
      const { definition: _left, ...head } = JSON.parse(headText) as HostOrder;
      const { principalId, depth } = await capabilities.verify(meta.capability);
      const kept: KeptHead = { ...head, meta: { ...meta, capability: "" }, principal: { id: principalId, depth } };
      const job = {
        key: jobKey(meta),
        environment,
        head: JSON.stringify(kept),
        input,
        expires_at: now() + QUEUE_LIMIT_MS + meta.timeout_ms + SLACK_MS,
      };
      const { id, handle, expires_at: expiresAt } = await ask(job.key, async (board) => board.open(job));
      const url = `${platformUrl ?? ""}/jobs/${id}`;
      return { ticket: { id, url, token: await tickets.sign(id, expiresAt) }, handle: handle ?? undefined };
    },

    note: (id, handle) => ask(id, async (board) => board.note(id, handle)),
    wait: (id, waitMs) => ask(id, async (board) => board.wait(id, waitMs)),
    close: (id) => ask(id, async (board) => board.close(id)),

    verify: (id, ticket) => tickets.verify(ticket, id),

    async order(id, ticket) {
      await tickets.verify(ticket, id);
      const reply = await ask(id, async (board) => board.order(id));
      if (reply.kind === "unknown") throw unknownJob(id);
      if (reply.kind === "over") throw overJob(id);
      const { principal, ...head } = JSON.parse(reply.head) as KeptHead;
      const capability = await capabilities.issue(principal.id, principal.depth);
      const order: HostOrder = { ...head, meta: { ...head.meta, capability }, platform_url: platformUrl ?? null };
      if (order.work.kind === "module") {
        const { operation } = await registry.resolve(order.meta.operation, { revision: order.meta.revision });
        order.definition = await registry.loadIsolate(operation);
        // Of what it is now: a secret may have changed since.
        order.isolate = await registry.isolateId(operation);
      }
      return { head: order, input: reply.input };
    },

    async report(id, ticket, text) {
      await tickets.verify(ticket, id);
      const reply = await ask(id, async (board) => board.report(id, text));
      if (reply === "unknown") throw unknownJob(id);
      if (reply === "final") throw overJob(id);
    },
  };
}

/** Letters, digits and dashes, 31 to 37 characters; a job's id adds its number. */
function jobKey({ execution_id: execution, item }: InvocationMeta): string {
  const key = `sy-${execution.replace(/^ex_/, "").replaceAll("_", "-")}`;
  return item === undefined ? key : `${key}-i${item}`;
}

/** The board has the number of the execution's shard, which stands in the id. */
function boardOf(id: string): string {
  const [, shard = "00", rest = ""] = id.split("-");
  return `jobs-${shardOfExecutionId(`ex_${shard}_${rest}`) === undefined ? "00" : shard}`;
}

function unknownJob(id: string): SwitchyardError {
  return new SwitchyardError("entity_not_found", `Cannot find the job "${id}": it must be one that is kept; it is not`);
}

function overJob(id: string): SwitchyardError {
  return new SwitchyardError(
    "execution_final",
    `Cannot go on with the job "${id}": somebody must wait for it; it has been reported otherwise, cancelled, or given up`,
  );
}
