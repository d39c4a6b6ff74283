/** Serves bench/bare.ts the way the platform is served: miniflare's workerd on a direct socket. Until it is ended. */
import path from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const bundle = await build({
  entryPoints: [path.join(import.meta.dirname, "bare.ts")],
  bundle: true,
  format: "esm",
  minify: true,
  write: false,
});
const server = new Miniflare({
  workers: [
    {
      modules: [{ type: "ESModule", path: "bare.js", contents: bundle.outputFiles[0]!.text }],
      compatibilityDate: "2026-07-01",
      unsafeDirectSockets: [{ host: "127.0.0.1", port: Number(process.argv[2]) }],
    },
  ],
});
await server.ready;
console.log("ready");
process.once("SIGTERM", () => void server.dispose().then(() => process.exit(0)));
