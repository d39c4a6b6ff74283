/** `opctl webhook`: tries webhooks out. */
import { Option, type Command } from "commander";
import { contextOf, examples, type CommandModule } from "../command.ts";
import { SAMPLES } from "../webhooks/samples.ts";
import type { TestOptions } from "../webhooks/test-webhook.ts";

export const command: CommandModule = {
  define(webhook: Command) {
    const test = webhook
      .command("test")
      .description("send a webhook a signed sample, and say what its sender would be told")
      .argument("<name>", "the webhook")
      .addOption(
        new Option("--sample <name>", "what to send (else what fits its scheme)").choices(Object.keys(SAMPLES)),
      )
      .option("--data <file>", "this body in place of the sample's; - is stdin")
      .option("--stale", "sign it as of before the webhook's tolerance: it must be refused")
      .option("--secret", "sign it here, with a secret that is asked for or piped in, and send it over the network")
      .option("--to <url>", "with --secret: the address that senders use, when it is not the platform's own")
      .addHelpText(
        "after",
        "\nWithout --secret the platform signs and receives it itself: nobody sees the secret or a signature. That needs\nregistry:write, secrets:use and all that the webhook's own scopes allow.",
      )
      .action(async (name: string, options: TestOptions) => {
        const { testWebhook } = await import("../webhooks/test-webhook.ts");
        await testWebhook(contextOf(test), name, options);
      });
    examples(test, [
      ["opctl webhook test pushes --sample github.push", "as GitHub would send it"],
      ["opctl webhook test pushes --data push.json", "with a body of your own"],
      ["opctl webhook test paid --stale", "an old one, which is refused"],
      ["opctl webhook test paid --secret --to https://hooks.example.com/hooks/paid < key.txt", "through your proxy"],
    ]);
    examples(webhook, [
      [
        `opctl create webhook -s name=pushes -s operation=echo -s scheme=github -s 'secrets=["pushes_key"]'`,
        "a webhook is a row",
      ],
      ["opctl webhook test pushes", "as its sender would send it"],
      ["opctl get deliveries --webhook pushes", "what came"],
    ]);
  },
};
