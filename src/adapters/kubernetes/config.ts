/** What a row says of a Kubernetes cluster that runs jobs. */
import * as v from "valibot";
import { network, plainUrl } from "../http/settings.ts";

const text = (pattern: RegExp, rule: string) => v.pipe(v.string(), v.regex(pattern, rule));
/** RFC 1123, as the API server checks it. */
const name = text(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, "must be a name of Kubernetes: a-z, 0-9, - and .");
const label = text(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "must be a namespace's name: a-z, 0-9 and -");
const labels = v.optional(
  v.pipe(
    v.record(
      text(
        /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
        "must be a label's key",
      ),
      text(/^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/, "must be a label's value"),
    ),
    v.check((all) => Object.keys(all).length <= 32, "must be at most 32"),
  ),
  {},
);
const amounts = v.optional(
  v.strictObject({
    cpu: v.optional(text(/^\d+(?:\.\d{1,3}|m)?$/, "must be CPUs such as 2, 0.5 or 500m")),
    memory: v.optional(text(/^\d+(?:\.\d+)?(?:[kMGT]|[KMGT]i)?$/, "must be bytes such as 512Mi or 2Gi")),
  }),
);

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

export const KubernetesJobConfigSchema = v.strictObject({
  /** Its certificate must be publicly trusted: fetch in workerd cannot be given another authority. */
  api_server: v.pipe(
    plainUrl,
    v.check((url) => {
      const { protocol, hostname } = new URL(url);
      return protocol === "https:" || LOOPBACK.has(hostname);
    }, "must be https://, except on loopback (kubectl proxy)"),
  ),
  namespace: v.optional(label, "default"),
  /** Of our host, for modules. A container operation names its own. */
  image: v.optional(text(/^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$/, "must be an image")),
  /** Without one the pod gets the namespace's default, and no token of it. */
  service_account: v.optional(name),
  resources: v.optional(v.strictObject({ requests: amounts, limits: amounts })),
  /** So long a job that has ended stays to be looked at. */
  ttl_seconds_after_finished: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(2_592_000)), 3_600),
  node_selector: labels,
  image_pull_secrets: v.optional(v.pipe(v.array(name), v.maxLength(16)), []),
  labels,
  network,
});

/** Where a service's set is; the token is for whichever API server is named. */
export const PLACED_BY: readonly (keyof KubernetesJobConfig)[] = ["api_server", "namespace"];

export type KubernetesJobConfig = v.InferOutput<typeof KubernetesJobConfigSchema>;
