/** Orders and answers that are too long for their carrier, as artifacts. */
import type { AdapterPorts } from "../../adapters/adapter.ts";
import { SwitchyardError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ShardedArtifacts } from "./artifacts.ts";

/** `artifacts` is asked for when it is first used: adapters are made before it. */
export function artifactTexts(artifacts: () => Pick<ShardedArtifacts, "put" | "read">): AdapterPorts["artifacts"] {
  return {
    async put(execution, text, operation) {
      const body = new Blob([text]).stream();
      const content = { name: "payload", contentType: "application/json", body, operation };
      return (await artifacts().put(execution, content)).id;
    },
    async text(id) {
      const found = await artifacts().read(id);
      if (found !== undefined && found.view.size_bytes <= LIMITS.jsonBytes) return new Response(found.body).text();
      await found?.body.cancel();
      throw new SwitchyardError(
        found === undefined ? "payload_lost" : "output_too_large",
        `Cannot read the output "${id}": it must be a stored artifact of at most ${LIMITS.jsonBytes} bytes; it is ${found === undefined ? "gone" : found.view.size_bytes}`,
      );
    },
  };
}
