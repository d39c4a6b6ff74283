/**
 * A container orchestrator: services of a release, and the images that were fetched for them. A container is made from an image
 * and a configuration and changes neither; which release it belongs to is only a note on it.
 */
import type { Job, JobReference } from "./job.ts";
import { isSame } from "./json.ts";

export type Container = {
  readonly release: string;
  readonly image: string;
  readonly config: Readonly<Record<string, string>>;
  readonly status: "installed" | "running" | "stopped";
};
export type Device = {
  readonly services: Readonly<Record<string, Container>>;
  readonly images: Readonly<Record<string, string>>;
};

const isMadeOf = (one: Container, other: Container): boolean =>
  one.image === other.image && isSame(one.config, other.config);

function named(verb: string): Pick<Job, "name" | "path" | "describe"> {
  return { name: verb, path: "/services/:name", describe: ({ params }) => `${verb} ${params["name"]}` };
}

/** `has`: whether the registry of images has one. */
export function orchestratorJobs(has: (image: string) => boolean = () => true): Job[] {
  return [
    {
      ...named("set_up"),
      kind: "create",
      reads: ["/images/:name"],
      expand: ({ target, params, read }) => [
        ...fetched(params, read(`/images/${params["name"]}`), target as Container),
        { job: "install" },
      ],
    },
    {
      ...named("replace"),
      reads: ["/images/:name"],
      when: ({ value, target }) => target !== undefined && !isMadeOf(value as Container, target as Container),
      expand: ({ value, target, params, read }) => [
        ...((value as Container).status === "running" ? [{ job: "stop" }] : []),
        { job: "remove" },
        ...fetched(params, read(`/images/${params["name"]}`), target as Container),
        { job: "install" },
      ],
    },
    {
      ...named("uninstall"),
      kind: "delete",
      expand: ({ value, params }) => [
        ...((value as Container).status === "running" ? [{ job: "stop" }] : []),
        { job: "remove" },
        { job: "delete_image", path: `/images/${params["name"]}` },
      ],
    },
    {
      ...named("migrate"),
      when: ({ value, target }) => target !== undefined && isMadeOf(value as Container, target as Container),
      effect: ({ value, target }) => ({ ...(value as Container), release: (target as Container).release }),
    },
    {
      ...named("install"),
      kind: "create",
      reads: ["/images/:name"],
      when: ({ target, params, read }) => read(`/images/${params["name"]}`) === (target as Container).image,
      effect: ({ target }) => ({ ...(target as Container), status: "installed" }),
    },
    {
      ...named("start"),
      when: ({ value, target }) => isWanted(value as Container, target as Container | undefined, "running"),
      effect: ({ value }) => ({ ...(value as Container), status: "running" }),
    },
    { ...named("stop"), effect: ({ value }) => ({ ...(value as Container), status: "stopped" }) },
    {
      ...named("remove"),
      kind: "delete",
      when: ({ value }) => (value as Container).status !== "running",
      effect: () => undefined,
    },
    {
      name: "fetch",
      path: "/images/:name",
      kind: "any",
      when: ({ target }) => typeof target === "string" && has(target),
      effect: ({ target }) => target,
      describe: ({ target }) => `fetch ${target as string}`,
    },
    {
      name: "delete_image",
      path: "/images/:name",
      kind: "delete",
      effect: () => undefined,
      describe: ({ params }) => `delete the image of ${params["name"]}`,
    },
  ];
}

/** Only what is wanted runs: a container of the old image is not started on the way. */
function isWanted(value: Container, target: Container | undefined, status: Container["status"]): boolean {
  return (
    target !== undefined && target.status === status && isMadeOf(value, target) && value.release === target.release
  );
}

function fetched(
  { name }: Readonly<Record<string, string>>,
  there: unknown,
  { image }: Container,
): readonly JobReference[] {
  return there === image ? [] : [{ job: "fetch", path: `/images/${name}`, target: image }];
}

/** Services of one release, each of its own image, `web:v1`, or of another's. */
export function release(
  version: string,
  services: Readonly<Record<string, Partial<Container>>>,
): Record<string, Container> {
  return Object.fromEntries(
    Object.entries(services).map(([name, own]) => [
      name,
      { release: version, image: `${name}:${version}`, config: {}, status: "running", ...own },
    ]),
  );
}

/** A device on which all of that is as it should be. */
export function deviceOf(services: Device["services"]): Device {
  const images = Object.entries(services).map(([name, { image }]) => [name, image]);
  return { services, images: Object.fromEntries(images) as Device["images"] };
}
