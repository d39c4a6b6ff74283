/**
 * An adapter for services that answer requests over NATS. An operation names one as `{"http": {"url": "/thumbs.make"}}`:
 * what follows the slash is the subject. The input is the request, the reply is the output; `Nats-Service-Error` and
 * `Nats-Service-Error-Code`, as NATS's own services send them, are a failure.
 *
 * A connection lives for one call: in workerd a socket belongs to the request that opened it. NATS cannot take a request
 * back, so what is cancelled or too late goes on at the service to its own end.
 */
import {
  contextOf,
  outcomeOfThrown,
  unstarted,
  type Adapter,
  type AdapterCall,
  type AdapterPorts,
  type Outcome,
} from "switchyard/adapter";
import * as v from "valibot";
import { NatsConnection, NatsRefusal, type NatsMessage } from "./nats-connection.ts";

const ConfigSchema = v.strictObject({
  hostname: v.pipe(v.string(), v.minLength(1)),
  port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)), 4222),
  network: v.optional(v.picklist(["public", "private"]), "public"),
});

const NO_RESPONDERS = 503;
const SUBJECT = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/;

export default function natsAdapter(ports: AdapterPorts): Adapter {
  const open = async ({ environment }: Pick<AdapterCall, "environment">): Promise<NatsConnection | Outcome> => {
    const { hostname, port, network } = v.parse(ConfigSchema, environment.config);
    const { user, password, token } = await environment.openSecrets();
    const tcp = ports.connectOn(network)({ hostname, port });
    try {
      await tcp.opened;
    } catch (thrown) {
      const detail = `Cannot reach "${environment.name}": a NATS server must listen at ${hostname}:${port}; it is ${String(thrown)}`;
      return unstarted("environment_unavailable", detail);
    }
    const connection = new NatsConnection(tcp);
    try {
      await connection.open({
        ...(user === undefined ? {} : { user }),
        ...(password === undefined ? {} : { pass: password }),
        ...(token === undefined ? {} : { auth_token: token }),
      });
      return connection;
    } catch (thrown) {
      await connection.close();
      if (thrown instanceof NatsRefusal) {
        const detail = `Cannot log in to "${environment.name}": the server must take the credentials; it says ${thrown.message}`;
        return unstarted("environment_refused", detail);
      }
      return unstarted("environment_unavailable", `Cannot reach "${environment.name}": ${String(thrown)}`);
    }
  };

  return {
    name: "nats",
    summary: "services that answer requests over NATS",
    config: ConfigSchema,
    secrets: {
      user: { required: false, summary: "the user's name" },
      password: { required: false, summary: "the user's password" },
      token: { required: false, summary: "a token, in place of user and password" },
    },
    runs: ["http"],
    async invoke(call) {
      const { cancellation } = call.options ?? {};
      if (cancellation?.requested === true) return { ...ended(call, "execution_cancelled"), unstarted: true };
      let connection: NatsConnection | Outcome;
      try {
        connection = await open(call);
      } catch (thrown) {
        return { ...(outcomeOfThrown(thrown) as Outcome & { ok: false }), unstarted: true };
      }
      if (!(connection instanceof NatsConnection)) return connection;
      const { promise: early, resolve } = Promise.withResolvers<Outcome>();
      const timer = setTimeout(() => resolve(ended(call, "timeout")), call.meta.timeout_ms);
      const forget = cancellation?.onRequest(() => resolve(ended(call, "execution_cancelled")));
      try {
        const asked = ask(connection, call);
        asked.catch(() => undefined);
        return await Promise.race([asked, early]);
      } finally {
        clearTimeout(timer);
        forget?.();
        await connection.close();
      }
    },
    async check(environment) {
      const startedAt = ports.now();
      const opened = await open({ environment });
      const latency = ports.now() - startedAt;
      if (opened instanceof NatsConnection) {
        await opened.close();
        const facts = { max_payload: opened.maxPayload };
        return { reachable: true, allowed: true, latency_ms: latency, missing: [], facts };
      }
      const { code, detail } = (opened as Outcome & { ok: false }).error;
      const refused = code === "environment_refused";
      return { reachable: refused, allowed: refused ? false : null, latency_ms: null, missing: [detail], facts: {} };
    },
  };
}

async function ask(connection: NatsConnection, call: AdapterCall): Promise<Outcome> {
  const { operation, environment, input, meta } = call;
  const { implementation } = operation;
  const subject = implementation.kind === "http" ? implementation.url.replace(/^\//, "") : "";
  if (!SUBJECT.test(subject)) {
    const detail = `Cannot run "${operation.name}" in "${environment.name}": its url must be a slash and a subject of NATS; it is ${JSON.stringify(subject)}`;
    return unstarted("environment_misconfigured", detail, { retry: { kind: "never" } });
  }
  const bytes = new TextEncoder().encode(input).length;
  // Headers count too.
  if (bytes + 512 > connection.maxPayload) {
    const detail = `Cannot send the input to "${environment.name}": it must be at most ${connection.maxPayload} bytes with its headers; it is ${bytes}`;
    return unstarted("payload_too_large", detail, { retry: { kind: "never" } });
  }
  const inbox = `_INBOX.${crypto.randomUUID()}`;
  await connection.subscribe(inbox);
  try {
    const headers = { ...contextOf(meta), "Switchyard-Execution-Id": meta.execution_id };
    await connection.publish(subject, { replyTo: inbox, headers, payload: input });
    return outcomeOf(await connection.next(), call, subject);
  } catch (thrown) {
    const detail = `Cannot finish "${operation.name}" in "${environment.name}": the connection must live until the reply; it broke: ${String(thrown)}`;
    return { ok: false, error: { code: "executor_lost", detail }, retry: { kind: "may" }, logs: [] };
  }
}

function outcomeOf(reply: NatsMessage, { operation, environment }: AdapterCall, subject: string): Outcome {
  if (reply.status === NO_RESPONDERS) {
    const detail = `Cannot run "${operation.name}" in "${environment.name}": a service must listen on the subject "${subject}"; nobody does`;
    return unstarted("environment_misconfigured", detail);
  }
  const failure = reply.headers.get("nats-service-error");
  if (failure === undefined) return { ok: true, output: reply.payload, logs: [] };
  const code = Number(reply.headers.get("nats-service-error-code") ?? 500);
  if (code === 429) {
    return unstarted(
      "environment_throttled",
      `Cannot run "${operation.name}" in "${environment.name}" now: ${failure}`,
    );
  }
  const kind = code >= 400 && code < 500 ? "never" : "may";
  return { ok: false, error: { code: "implementation_failed", detail: failure }, retry: { kind }, logs: [] };
}

function ended({ operation, meta }: AdapterCall, code: "timeout" | "execution_cancelled"): Outcome & { ok: false } {
  const why =
    code === "timeout"
      ? `it must answer within ${meta.timeout_ms} ms; it has not`
      : "its caller must still want it; it is cancelled";
  const retry = { kind: code === "timeout" ? "may" : "never" } as const;
  return { ok: false, error: { code, detail: `Cannot finish "${operation.name}": ${why}` }, retry, logs: [] };
}
