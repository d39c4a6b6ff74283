/** `opctl dev`: the whole platform on this machine, until it is stopped. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { redactLine } from "../../src/core/redact.ts";
import { readTelemetrySettings } from "../../src/telemetry/settings.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";

type Options = {
  port: string;
  executor: string;
  publicUrl?: string;
  metrics: boolean;
  otlpEndpoint?: string;
  examples?: boolean;
};

export const command: CommandModule = {
  define(command: Command) {
    command
      .option("-p, --port <port>", "port on 127.0.0.1", "8787")
      .option(
        "--executor <where>",
        "where handlers run: process (supervised processes) or inline (the edge's own)",
        "process",
      )
      .option(
        "--public-url <url>",
        "where jobs and hosts elsewhere reach this platform, through a tunnel or a proxy (else its own address)",
      )
      .option("--no-metrics", "count nothing: GET /metrics is not there")
      .option(
        "--otlp-endpoint <url>",
        "send traces to this OpenTelemetry collector, such as http://127.0.0.1:4318; OTEL_… variables say the rest",
      )
      .option("--examples", "register the examples of this package, call one and show the result")
      .action(async (options: Options, command: Command) => {
        const { globals, output } = contextOf(command);
        const port = portOf(options.port);
        if (options.executor !== "process" && options.executor !== "inline") {
          throw new SwitchyardError(
            "usage",
            `Cannot run handlers in "${options.executor}": --executor is process or inline`,
          );
        }
        const { startPlatform } = await import("../dev/platform.ts");
        const { formatLogLine } = await import("../dev/log-line.ts");
        const startedAt = performance.now();
        const platform = await startPlatform({
          port,
          state: globals.state,
          executor: options.executor,
          ...(options.publicUrl === undefined ? {} : { publicUrl: publicUrlOf(options.publicUrl) }),
          telemetry: telemetryOf(options),
          log: (line) => output.say(formatLogLine(redactLine(line))),
        });
        const stopped = stopSignal();
        try {
          output.say(`Switchyard runs at ${platform.url} (started in ${Math.round(performance.now() - startedAt)} ms)`);
          output.say(`  state        ${globals.state}`);
          output.say(`  credentials  ${platform.credentialsFile}`);
          output.say(`  read and try ${platform.url}/docs`);
          if (options.examples === true) {
            const { registerExamples } = await import("../dev/examples.ts");
            await registerExamples({ platform, output });
          }
          // Nothing is bundled from here on, and the bundler's process is as large as the registry's.
          await (await import("esbuild")).stop();
          output.say("Ctrl-C stops it.");
          await stopped;
        } finally {
          await platform.close();
        }
      });
    examples(command, [
      ["opctl dev", "on port 8787, state in .switchyard/"],
      ["opctl dev --port 8788 --state other", "a second platform beside it"],
      ["opctl dev --otlp-endpoint http://127.0.0.1:4318", "with traces sent to a collector"],
      ["opctl dev --examples", "with the examples registered"],
    ]);
  },
};

/** Throws setting_unsupported. Variables of OpenTelemetry count only where traces are asked for: others use them too. */
function telemetryOf({ metrics, otlpEndpoint }: Options): Record<string, string> {
  const bindings: Record<string, string> = metrics ? {} : { METRICS: "off" };
  if (otlpEndpoint !== undefined) {
    for (const [name, value] of Object.entries(process.env)) {
      if (name.startsWith("OTEL_") && value !== undefined) bindings[name] = value;
    }
    bindings["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlpEndpoint;
  }
  readTelemetrySettings(bindings);
  return bindings;
}

function publicUrlOf(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return text;
  throw new SwitchyardError(
    "usage",
    `Cannot be reached at "${text}": --public-url must be an http or https address without a query; it is not`,
  );
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new SwitchyardError("usage", `Cannot listen on port "${text}": it must be a whole number from 1 to 65535`);
}

/** The first Ctrl-C ends it in order; a second one ends it at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
}
