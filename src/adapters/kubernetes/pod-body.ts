/** What the pods of Jobs and of Deployments have in common, from the row's settings. */
import type { KubernetesJobConfig } from "./config.ts";

/** The one of ours. */
export const CONTAINER = "work";

export function labelsOf({ labels }: KubernetesJobConfig): Record<string, string> {
  return { ...labels, "app.kubernetes.io/managed-by": "switchyard" };
}

export function podSettings(config: KubernetesJobConfig) {
  const { service_account: account, node_selector: nodes, image_pull_secrets: pullSecrets } = config;
  return {
    ...(account === undefined ? { automountServiceAccountToken: false } : { serviceAccountName: account }),
    ...(Object.keys(nodes).length === 0 ? {} : { nodeSelector: nodes }),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
  };
}

export function containerSettings(
  { resources }: KubernetesJobConfig,
  { image, command }: { image: string; command: readonly string[] | null },
) {
  return {
    image,
    // `args` would be added to what the image starts; the command is in its place.
    ...(command === null ? {} : { command: command.map(literal) }),
    ...(resources === undefined ? {} : { resources }),
  };
}

/** In a pod `$(NAME)` is a variable, and `$$` a dollar. */
export function literal(text: string): string {
  return text.replaceAll("$", "$$$$");
}
