/** What a row says of a place on ECS. */
import * as v from "valibot";
import { network, plainUrl } from "../http/settings.ts";

const text = (pattern: RegExp, rule: string) => v.pipe(v.string(), v.regex(pattern, rule));
const ids = (prefix: string, most: number) =>
  v.pipe(v.array(text(new RegExp(`^${prefix}-[A-Za-z0-9-]{1,64}$`), `must begin with ${prefix}-`)), v.maxLength(most));

export const FargateConfigSchema = v.pipe(
  v.strictObject({
    region: text(/^[a-z]{2}(?:-[a-z]+)+-\d$/, "must be a region such as eu-central-1"),
    /** Its name or ARN. */
    cluster: v.optional(text(/^[A-Za-z0-9:/_-]{1,255}$/, "must be a cluster's name or ARN"), "default"),
    /** A family, a family:revision, or an ARN. */
    task_definition: text(/^[A-Za-z0-9:/_-]{1,300}$/, "must be a family, family:revision or ARN"),
    /** The container in it that is told its job. */
    container: text(/^[A-Za-z0-9_-]{1,255}$/, "must be a container's name in the task definition"),
    /** That container is Switchyard's own host, so modules run in it. */
    host: v.optional(v.boolean(), true),
    subnets: v.pipe(ids("subnet", 16), v.minLength(1)),
    security_groups: v.optional(ids("sg", 5), []),
    assign_public_ip: v.optional(v.boolean(), false),
    launch_type: v.optional(v.picklist(["FARGATE", "EC2", "EXTERNAL"])),
    /** In place of a launch type, such as FARGATE_SPOT. */
    capacity_provider: v.optional(text(/^[A-Za-z0-9_-]{1,255}$/, "must be a capacity provider's name")),
    platform_version: v.optional(text(/^(?:LATEST|\d+\.\d+\.\d+)$/, "must be LATEST or a version such as 1.4.0")),
    /** Units of CPU and MiB of memory for the whole task, in place of the task definition's. */
    cpu: v.optional(v.pipe(v.number(), v.integer(), v.minValue(128), v.maxValue(196_608))),
    memory_mb: v.optional(v.pipe(v.number(), v.integer(), v.minValue(6), v.maxValue(1_048_576))),
    /** In place of the region's public one: a VPC endpoint. */
    endpoint: v.optional(v.pipe(v.string(), v.url())),
    network,
    /** Where requests of services go, such as a load balancer: `{service}` is the service's name. Else to a task's own address. */
    service_url: v.optional(
      v.pipe(
        v.string(),
        v.check(
          (url) => v.is(plainUrl, url.replaceAll("{service}", "x")),
          "must be a http:// or https:// URL without credentials, query and fragment; {service} is the service's name",
        ),
      ),
    ),
    /** The target group of that load balancer, in which the tasks are. */
    target_group: v.optional(
      text(/^arn:aws[a-z-]*:elasticloadbalancing:[\w:/-]{1,300}$/, "must be a target group's ARN"),
    ),
    /** By which network services are reached, where it is not that of ECS itself. */
    service_network: v.optional(v.picklist(["public", "private"])),
  }),
  v.check(
    ({ launch_type: type, capacity_provider: provider }) => type === undefined || provider === undefined,
    "must have a launch_type or a capacity_provider, not both",
  ),
);

/** Where a service's set is, and what ECS takes only when a set is made. The account is by the credentials, and not looked at. */
export const PLACED_BY: readonly (keyof FargateConfig)[] = [
  "region",
  "endpoint",
  "cluster",
  "subnets",
  "security_groups",
  "assign_public_ip",
  "launch_type",
  "capacity_provider",
  "platform_version",
  "target_group",
];

export type FargateConfig = v.InferOutput<typeof FargateConfigSchema>;
