import type { Adapter, AdapterPorts } from "./src/adapters/adapter.ts";

declare const plugins: readonly ((ports: AdapterPorts) => Adapter)[];
export default plugins;
