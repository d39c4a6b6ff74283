/** Where ECS runs tasks, by the row: the same for one task that a call is, and for those that a service keeps. */
import type { FargateConfig } from "./config.ts";

export function placementOf(config: FargateConfig): Record<string, unknown> {
  const { capacity_provider: provider, launch_type: launchType = "FARGATE", platform_version: platform } = config;
  return {
    ...(provider === undefined
      ? { launchType }
      : { capacityProviderStrategy: [{ capacityProvider: provider, weight: 1 }] }),
    ...(platform === undefined ? {} : { platformVersion: platform }),
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: config.subnets,
        securityGroups: config.security_groups,
        assignPublicIp: config.assign_public_ip ? "ENABLED" : "DISABLED",
      },
    },
  };
}
