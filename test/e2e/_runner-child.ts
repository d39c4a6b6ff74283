/** A runner as a process of its own whose host never answers, so that a test can kill it in the middle of work. */
import { openDoor, StubHost } from "./_pools.ts";

const host = new StubHost(() => true);
openDoor(process.argv[2] ?? "", host, { name: "child" });
setInterval(() => {
  if (host.started.length > 0) process.stdout.write("started\n");
}, 20);
