/** `opctl plan`: how an agent would get to a target. Nothing is started. */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { askAgent, parseTarget, type AgentPlanView } from "../agents/api.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";

const FORMATS = ["text", "mermaid", "json"];

export const command: CommandModule = {
  define(command: Command) {
    command
      .argument("<agent>", "the agent")
      .requiredOption("-t, --target <json>", "what its state should be, as a merge patch")
      .option("--format <format>", FORMATS.join(", "), "text")
      .option("--why", "what was tried, as a tree")
      .action(async (name: string, options: { target: string; format: string; why?: boolean }) => {
        const context = contextOf(command);
        const { client, globals, output } = context;
        if (!FORMATS.includes(options.format)) {
          throw new SwitchyardError(
            "usage",
            `Cannot print the plan as "${options.format}": it must be one of ${FORMATS.join(", ")}`,
          );
        }
        const body = { target: parseTarget(options.target), trace: options.why === true };
        const plan = await askAgent<AgentPlanView>(client, name, "plan", body);
        if (!plan.reached) context.exitWith(1);
        if (globals.json || options.format === "json") return output.value(plan);
        if (options.format === "mermaid") return output.data(plan.mermaid);
        output.data([...plan.sentences, ...plan.notes].join("\n"));
        if (plan.decisions !== undefined && plan.decisions.length > 0) output.data(plan.decisions.join("\n"));
      });
    examples(command, [
      [
        `opctl plan counters --target '{"counters": {"a": 3, "b": 1}}'`,
        "a line a step; exit 1 where no way leads there",
      ],
      [`opctl plan counters -t '{"counters": {"a": 3}}' --format mermaid`, "a diagram"],
      [`opctl plan counters -t '{"counters": {"a": -1}}' --why`, "what was tried"],
    ]);
  },
};
