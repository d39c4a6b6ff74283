/** What an isolate asks the platform (platform-answers.ts), as an argument that can be passed to it. */
import { RpcTarget } from "cloudflare:workers";
import { answersOver } from "./platform-answers.ts";

export const PlatformCalls = answersOver(RpcTarget);
export type PlatformCalls = InstanceType<typeof PlatformCalls>;
