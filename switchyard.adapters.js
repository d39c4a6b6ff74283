// Adapters of other packages, each (ports) => Adapter: the one place where they are named. docs/adapters/plugins.md
//
//     import nats from "@acme/switchyard-nats";
//     export default [nats];
export default [];
