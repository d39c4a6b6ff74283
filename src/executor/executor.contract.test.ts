/** The Executor port's contract, on both implementations. */
import { PUBLIC_ONLY, startLoaderEdge, startPoolEdge } from "../../test/contracts/_executor-edges.ts";
import { describeExecutor } from "../../test/contracts/executor.ts";

describeExecutor("LoaderExecutor", () => startLoaderEdge(PUBLIC_ONLY));
describeExecutor("PoolExecutor on supervised processes", () => startPoolEdge({ secret: "contract-secret" }));
