/**
 * The worker's entrypoints and Durable Objects. It runs on Cloudflare (executor: the Worker Loader of this script) and self-hosted
 * (executor: supervised processes, reached through SLOT_n bindings). What they need is wired in wire.ts.
 */
import { waitUntil, WorkerEntrypoint } from "cloudflare:workers";
import type { Bindings } from "./bindings.ts";
import { toErrorData, toSwitchyardError } from "./core/errors.ts";
import { createApp } from "./edge/app.ts";
import { problem } from "./edge/problem.ts";
import { runClaims } from "./executions/attempt-runner.ts";
import { ExecutionShard } from "./executions/execution-shard.ts";
import { wakeShards } from "./executions/executions.ts";
import { JobBoard } from "./executions/jobs/job-board.ts";
import type { Claim } from "./executions/messages.ts";
import { Gate } from "./executor/gate.ts";
import { MetricsBoard } from "./metrics/metrics-board.ts";
import type { EndNote } from "./model/ended.ts";
import { RateLimiter } from "./limits/rate-limiter.ts";
import { RunnerPool } from "./runners/runner-pool.ts";
import { changesFor } from "./triggers/schedules/changes.ts";
import { fireAll } from "./triggers/schedules/fire.ts";
import type { ChangesOrder, FireOrder } from "./triggers/schedules/messages.ts";
import { AgentObject } from "./agents/agent-object.ts";
import * as agentRunner from "./agents/agent-runner.ts";
import { Scheduler } from "./triggers/schedules/scheduler.ts";
import { ServiceObject } from "./services/service-object.ts";
import * as serviceRunner from "./services/service-runner.ts";
import { tellEnds, type TellPorts } from "./triggers/subscriptions/tell-ends.ts";
import { DeliveryLog } from "./triggers/webhooks/delivery-log.ts";
import { wire, type Wired } from "./wire.ts";

export {
  AgentObject,
  DeliveryLog,
  ExecutionShard,
  Gate,
  JobBoard,
  MetricsBoard,
  RateLimiter,
  RunnerPool,
  Scheduler,
  ServiceObject,
};

let wired: Wired | undefined;
let app: ReturnType<typeof createApp> | undefined;

/** Makes attempts for a shard, in an invocation of its own. */
export class AttemptRunner extends WorkerEntrypoint<Bindings> {
  async run(shard: string, claims: string): Promise<void> {
    wired ??= wire(this.env);
    const stub = this.env.EXECUTIONS.getByName(shard);
    await runClaims(JSON.parse(claims) as Claim[], stub, wired.runner);
  }
}

/** Does for triggers' objects what needs the registry or dispatch, in an invocation of its own. Texts are JSON. */
export class TriggerRunner extends WorkerEntrypoint<Bindings> {
  /** FireOrder[] → FireAnswer[]. */
  async fire(text: string): Promise<string> {
    wired ??= wire(this.env);
    return JSON.stringify(await fireAll(JSON.parse(text) as FireOrder[], wired.triggers));
  }

  /** ChangesOrder → ChangesAnswer. */
  async schedules(text: string): Promise<string> {
    wired ??= wire(this.env);
    return JSON.stringify(await changesFor(JSON.parse(text) as ChangesOrder, wired.triggers.registry));
  }

  /** Ends that a shard has noted, JSON of EndNote[]; answers the ids that need not be told again, as JSON. */
  async completed(shard: string, notes: string): Promise<string> {
    wired ??= wire(this.env);
    const stub = this.env.EXECUTIONS.getByName(shard);
    const read: TellPorts["read"] = async (ids, options) => stub.ended([...ids], options);
    return JSON.stringify(await tellEnds(JSON.parse(notes) as EndNote[], { ...wired.triggers, read }));
  }
}

/** Does for agents' objects what needs the registry or dispatch, in an invocation of its own. See src/agents/agent-runner.ts. */
export class AgentRunner extends WorkerEntrypoint<Bindings> {
  look(agent: string): Promise<string> {
    return agentRunner.lookFor(agent, this.#ports());
  }

  plan(text: string): Promise<string> {
    return agentRunner.planText(text, this.#ports());
  }

  run(agent: string, text: string): Promise<void> {
    return agentRunner.runText(agent, text, this.#ports());
  }

  sense(text: string): Promise<string> {
    return agentRunner.senseText(text, this.#ports());
  }

  cancel(text: string): Promise<void> {
    return agentRunner.cancelAll(text, this.#ports());
  }

  #ports(): agentRunner.AgentRunnerPorts {
    return (wired ??= wire(this.env)).agents;
  }
}

/** Does for services' objects what needs the registry or dispatch, in an invocation of its own. See src/services/service-runner.ts. */
export class ServiceRunner extends WorkerEntrypoint<Bindings> {
  look(service: string): Promise<string> {
    return serviceRunner.lookFor(service, this.#ports());
  }

  step(text: string): Promise<string> {
    return serviceRunner.stepText(text, this.#ports());
  }

  ask(text: string): Promise<string> {
    return serviceRunner.askText(text, this.#ports());
  }

  reported(service: string, text: string): Promise<void> {
    return serviceRunner.passOn(service, text, this.#ports());
  }

  #ports(): serviceRunner.ServiceRunnerPorts {
    return (wired ??= wire(this.env)).services;
  }
}

export default {
  fetch(request, env, context): Response | Promise<Response> {
    try {
      wired ??= wire(env);
    } catch (thrown) {
      // A binding that cannot be honoured: whoever asks is told which, until it is mended.
      return problem(toErrorData(toSwitchyardError(thrown)));
    }
    if (app === undefined) {
      app = createApp(wired.platform);
      // What a process that was lost left behind goes on as soon as the next one answers its first request.
      if (env.INCARNATION !== undefined) waitUntil(wakeShards(env.EXECUTIONS));
      waitUntil(wired.triggers.look());
      waitUntil(wired.services.look());
    }
    return app.fetch(request, env, context);
  },

  /** The clock was set: see cli/dev/clock-watch.ts. On Cloudflare nobody says so. */
  async scheduled({ scheduledTime }, env) {
    wired ??= wire(env);
    await wired.clockWasSet(scheduledTime);
  },
} satisfies ExportedHandler<Bindings>;
