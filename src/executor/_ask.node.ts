/**
 * One request to a process behind a unix socket. Connections are kept only by an agent of that one process: one that was
 * replaced must not be met again.
 */
import { type Agent, request } from "node:http";
import { SECRET_HEADER } from "./protocol.ts";

export function askSocket(
  socketPath: string,
  path: string,
  secret: string,
  agent: Agent | false = false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { host: "executor", [SECRET_HEADER]: secret };
    const call = request({ socketPath, path, headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== undefined && response.statusCode < 300) resolve(text);
        else reject(new Error(`the process answered ${response.statusCode} to ${path}`));
      });
    });
    call.on("error", reject);
    call.end();
  });
}
