/**
 * Services: what their rows name is there, their environment can run them, no setting is one that nothing would act on, and
 * their rights are never more than their writer's.
 */
import type { Issue } from "../../core/errors.ts";
import type { Environment } from "../../model/entities.ts";
import { lacking } from "../../model/environment.ts";
import { sortOf, STEP_DEFAULTS, type ExposureRow, type ServiceRow } from "../../model/services.ts";
import type { StateMachine } from "../../model/state-machines.ts";
import type { Draft, Row, Use } from "../draft.ts";
import { grantSecrets } from "./grant-secrets.ts";
import type { OperationResolved } from "./operation-resolved.ts";
import { named, refuse, type KindRules, type WriteContext } from "./rules.ts";
import { checkFollows } from "./service-machine.ts";
import { checkServiceSettings } from "./service-settings.ts";
import { checkInvokes, checkScopes } from "./trigger.ts";

export const serviceRules: KindRules<"service"> = {
  restore: (manifest, _resolved, context) => serviceRules.settle(manifest, context),
  async settle(manifest, context) {
    const { name, group, environment, state_machine: machine } = manifest;
    checkServiceSettings(manifest);
    checkScopes("service", manifest, context);
    await checkEnvironment(manifest, context);
    const steps = await checkSteps(manifest, context);
    const row = await named(context.draft, "state_machine", machine, "/state_machine");
    await checkFollows(manifest, row.manifest as StateMachine, { ...context, at: "service" });
    const granted = Object.entries(manifest.secrets).map(([variable, secret]) => ({
      name: secret,
      pointer: `/secrets/${variable}`,
    }));
    const secrets = await grantSecrets({ what: `the service "${name}"`, group, secrets: granted }, context);
    const uses: Use[] = [
      { kind: "environment", name: environment, written: true },
      { kind: "state_machine", name: machine, written: true },
      ...steps,
      ...secrets,
    ];
    return { manifest, resolved: {}, uses, warnings: shownSecrets(manifest) };
  },
};

const SECRET_LIKE = /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:_|$)/i;

/** Variables are shown to whoever may read the row; by their names some should not be. */
function shownSecrets({ name, variables }: ServiceRow): Issue[] {
  const shown = Object.keys(variables).filter((variable) => SECRET_LIKE.test(variable));
  return shown.map((variable) => ({
    pointer: `/variables/${variable}`,
    keyword: "secret_shown",
    detail: `whoever may read the row sees what "${variable}" is; a secret is filled in without being shown: opctl secret set NAME, then opctl edit service ${name} -s secrets.${variable}=NAME -s variables.${variable}=null`,
  }));
}

/** Its adapter runs such services, and its place has what they need. Throws definition_invalid or setting_unsupported. */
async function checkEnvironment(service: ServiceRow, { draft, ports }: WriteContext): Promise<void> {
  const { name, environment, requires } = service;
  const { adapter, capabilities } = (await named(draft, "environment", environment, "/environment"))
    .manifest as Environment;
  const description = ports.adapters.find((each) => each.name === adapter);
  // Not one of this installation's: what it can do is not known here.
  if (description === undefined) return;
  const sort = sortOf(service);
  const runs = description.services?.runs ?? [];
  if (runs.length === 0 || (sort !== null && !runs.includes(sort))) {
    const able = ports.adapters.filter(
      ({ services }) => services !== undefined && (sort === null || services.runs.includes(sort)),
    );
    throw refuse(
      "setting_unsupported",
      "/environment",
      `Cannot run the service "${name}" in "${environment}": its adapter must run ${sort === null ? "services" : `services of the sort "${sort}"`}; "${adapter}" runs ${runs.join(", ") || "no services"}`,
      `adapters that do: ${able.map((each) => each.name).join(", ") || "none is installed"}`,
    );
  }
  const lacks = description.hasMembers === true ? undefined : lacking(capabilities, requires);
  if (lacks === undefined) return;
  throw refuse(
    "definition_invalid",
    "/requires",
    `Cannot run the service "${name}" in "${environment}": it must have what the service requires; ${lacks}`,
  );
}

/** The operations that carry out what its controller decides are there, and open to it. */
async function checkSteps(service: ServiceRow, { draft }: WriteContext): Promise<Use[]> {
  const uses = new Map<string, Use>();
  for (const step of Object.keys(STEP_DEFAULTS) as (keyof typeof STEP_DEFAULTS)[]) {
    const row = await named(draft, "operation", service.operations[step], `/operations/${step}`);
    checkInvokes("service", service, { row });
    await checkNotItsOwn(service, { row, step }, draft);
    uses.set(row.name, { kind: "operation", name: row.name, written: true });
  }
  return [...uses.values()];
}

/** A service that is started by a request to itself would wait for itself. */
async function checkNotItsOwn(
  { name }: ServiceRow,
  { row, step }: { row: Row; step: string },
  draft: Draft,
): Promise<void> {
  const { implementation } = row.resolved as OperationResolved;
  if (implementation.kind !== "service") return;
  const exposure = await draft.row("exposure", implementation.exposure);
  if ((exposure?.manifest as ExposureRow | undefined)?.service !== name) return;
  throw refuse(
    "definition_invalid",
    `/operations/${step}`,
    `Cannot let the operation "${row.name}" ${step} the service "${name}": it must not be a request to the service itself; by the exposure "${implementation.exposure}" it is`,
  );
}
