/**
 * Logistics, the classic problem: packages travel in trucks within a city and in planes between the airports of cities. Once with
 * plain moves, where the search finds the way, and once with a compound job that knows how freight is moved on.
 */
import type { Job, JobReference } from "./job.ts";

/** `a.depot` and `a.airport` are places of the city a. */
export type Freight = {
  readonly trucks: Readonly<Record<string, string>>;
  readonly planes: Readonly<Record<string, string>>;
  /** Each is at a place or in a vehicle. */
  readonly packages: Readonly<Record<string, string>>;
};

const cityOf = (place: string): string => place.split(".")[0] as string;
const isAirport = (place: string): boolean => place.endsWith(".airport");

/** The moves of a world: which places and vehicles there are stands still. */
export function logisticsMoves({ trucks, planes }: Freight, places: readonly string[]): Job[] {
  const drives = places.map((place): Job => ({
    name: `drive_to_${place}`,
    path: "/trucks/:truck",
    kind: "wildcard",
    when: ({ value }) => value !== place && cityOf(value as string) === cityOf(place),
    effect: () => place,
    describe: ({ params }) => `drive ${params["truck"]} to ${place}`,
  }));
  const flights = places.filter(isAirport).map((place): Job => ({
    name: `fly_to_${place}`,
    path: "/planes/:plane",
    kind: "wildcard",
    when: ({ value }) => value !== place,
    effect: () => place,
    describe: ({ params }) => `fly ${params["plane"]} to ${place}`,
  }));
  const vehicles = [
    ...Object.keys(trucks).map((name) => ({ name, at: `/trucks/${name}` })),
    ...Object.keys(planes).map((name) => ({ name, at: `/planes/${name}` })),
  ];
  const handling = vehicles.flatMap(({ name, at }): Job[] => [
    {
      name: `load_${name}`,
      path: "/packages/:package",
      reads: [at],
      when: ({ value, read }) => value === read(at),
      effect: () => name,
      describe: ({ params }) => `load ${params["package"]} into ${name}`,
    },
    {
      name: `unload_${name}`,
      path: "/packages/:package",
      reads: [at],
      when: ({ value }) => value === name,
      effect: ({ read }) => read(at),
      describe: ({ params }) => `unload ${params["package"]} from ${name}`,
    },
  ]);
  return [...handling, ...drives, ...flights];
}

/** The moves, and a job that moves everything on by one round: off, on, and to where the next thing is to be done. */
export function logisticsJobs(world: Freight, places: readonly string[]): Job[] {
  const round: Job = {
    name: "round",
    path: "/",
    expand: ({ value, target }) => roundOf(value as Freight, (target as Pick<Freight, "packages">).packages),
  };
  return [round, ...logisticsMoves(world, places)];
}

function roundOf({ trucks, planes, packages }: Freight, wanted: Freight["packages"]): JobReference[] {
  const all = [...Object.entries(trucks), ...Object.entries(planes)];
  return all.flatMap(([vehicle, here]) => {
    const isTruck = Object.hasOwn(trucks, vehicle);
    /** Where a package wants to get off; undefined: this vehicle is of no use to it. */
    const exit = (name: string): string | undefined => {
      const to = wanted[name];
      const at = packages[name] === vehicle ? here : (packages[name] as string);
      if (to === undefined || to === at) return undefined;
      if (!isTruck) return isAirport(at) && cityOf(at) !== cityOf(to) ? `${cityOf(to)}.airport` : undefined;
      if (cityOf(at) !== cityOf(here)) return undefined;
      if (cityOf(to) === cityOf(at)) return to;
      return isAirport(at) ? undefined : `${cityOf(at)}.airport`;
    };
    const on = Object.keys(packages).filter((name) => packages[name] === vehicle);
    const off = on.filter((name) => exit(name) === undefined || exit(name) === here);
    const waiting = Object.keys(packages).filter(
      (name) => !Object.hasOwn({ ...trucks, ...planes }, packages[name] as string) && exit(name) !== undefined,
    );
    const boarding = waiting.filter((name) => packages[name] === here);
    const parts: JobReference[] = off.map((name) => ({ job: `unload_${vehicle}`, path: `/packages/${name}` }));
    for (const name of boarding) parts.push({ job: `load_${vehicle}`, path: `/packages/${name}` });
    const next =
      [...boarding, ...on.filter((name) => !off.includes(name))].map(exit)[0] ??
      waiting.map((name) => packages[name])[0];
    if (next === undefined || next === here) return parts;
    parts.push(
      isTruck
        ? { job: `drive_to_${next}`, path: `/trucks/${vehicle}` }
        : { job: `fly_to_${next}`, path: `/planes/${vehicle}` },
    );
    return parts;
  });
}
