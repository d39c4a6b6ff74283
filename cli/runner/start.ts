/** Runs a runner until it has drained or is refused. */
import { describeAllow } from "../../src/host/allow.ts";
import { noteSecrets, redactLine } from "../../src/core/redact.ts";
import { createHost } from "../../src/host/core.node.ts";
import { Replicas } from "../../src/host/replicas/replicas.node.ts";
import { openJournal } from "../../src/host/work/journal.node.ts";
import { openRunnerDoor } from "../../src/host/runner-door.node.ts";
import type { Context } from "../command.ts";
import { packageVersion } from "../version.ts";
import { describeServices, stateFolder } from "./services.ts";
import type { RunnerSettings } from "./options.ts";

export async function startRunner(context: Context, settings: RunnerSettings): Promise<void> {
  const { output, client } = context;
  const { environment, name, slots, capabilities, allow, runs, runtime, serviceHost } = settings;
  const { url, token } = client.credentials;
  output.say(`runner ${name} for ${environment} at ${url}`);
  output.say(`  ${slots} ${slots === 1 ? "slot" : "slots"}; modules run on ${runtime}`);
  if (runtime === "node") output.warn("modules on Node are NOT confined: they can do what this user can do");
  for (const sentence of describeAllow(allow)) output.say(`  ${sentence}`);
  for (const sentence of describeServices(settings)) output.say(`  ${sentence}`);
  output.say("  Nothing else is run, whatever an operation says.");
  const has = Object.entries(capabilities).map(([word, value]) => `${word}=${String(value)}`);
  output.say(`  it has ${has.join(" ")}`);
  noteSecrets([token]);
  const log = (line: string): void => output.say(redactLine(line));
  // With any program or container: they are what may be left behind.
  const keepsReplicas = runs.includes("replica");
  const journal = keepsReplicas ? openJournal(stateFolder(), (line) => log(`runner: ${line}`)) : undefined;
  const replicas = keepsReplicas
    ? new Replicas({ place: name, serviceHost, journal, log: (line) => log(`service ${line}`) })
    : undefined;
  const keeps = replicas === undefined ? {} : { replicas };
  const host = createHost({ runtime, allow, slots, platformUrl: url, journal, log, ...keeps });
  const door = openRunnerDoor({
    ...keeps,
    url,
    token,
    environment,
    version: packageVersion(),
    name,
    slots,
    capabilities,
    runs,
    host,
    log,
  });
  let signals = 0;
  const stop = (): void => {
    signals += 1;
    if (signals === 1) {
      output.say("runner: draining; what runs is finished, a second signal ends it at once");
      door.drain();
    } else {
      context.exitWith(130);
      door.close();
    }
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    await door.ended;
    output.say(signals > 1 ? "runner: ended at once" : "runner: drained");
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    // A second signal leaves them no time.
    await Promise.all([host.close(), replicas?.close(signals > 1 ? 0 : undefined)]);
  }
}
