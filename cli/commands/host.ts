/** `opctl host`: this process is a host of an environment, so that an image needs the npm package and nothing else. */
import type { Command } from "commander";
import { contextOf, examples, type CommandModule } from "../command.ts";

export const command: CommandModule = {
  define(host: Command) {
    const http = host.command("http").description("listen for the platform's calls until it is stopped");
    http.action(async () => {
      const { output } = contextOf(http);
      const { httpMain } = await import("../../src/host/http-server.node.ts");
      await httpMain(process.env, (line) => output.say(line));
    });
    examples(http, [
      ["SWITCHYARD_HOST_SECRET=… opctl host http", "on 127.0.0.1:8080"],
      ["PORT=8080 SWITCHYARD_HOST_OPEN=behind-iam opctl host http", "behind a cloud's own access control"],
    ]);
    const job = host.command("job").description("fetch one order, run it, report, end");
    job.action(async () => {
      const { output, exitWith } = contextOf(job);
      const { jobMain } = await import("../../src/host/job-door.node.ts");
      if (!(await jobMain(process.env, (line) => output.say(line)))) exitWith(1);
    });
    examples(job, [["opctl host job", "with SWITCHYARD_JOB_URL and SWITCHYARD_JOB_TOKEN, as a job has them"]]);
  },
};
