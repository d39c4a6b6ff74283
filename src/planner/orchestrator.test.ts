/** Services as containers: each release gets there with as few stops as it needs, side by side, or says what stands in the way. */
import { describe, expect, test } from "vitest";
import { toSentences } from "./explain.ts";
import { plan, type Problem } from "./plan.ts";
import { deviceOf, orchestratorJobs, release, type Device } from "./_orchestrator.test-util.ts";
import { faultsOf } from "./_replay.test-util.ts";

const EMPTY: Device = { services: {}, images: {} };
const WEB_AND_DB = release("v1", { web: {}, db: {} });

type Target = { services: Record<string, Device["services"][string] | null> };
const deploying = (state: Device, services: Target["services"], jobs = orchestratorJobs()): Problem => ({
  state,
  target: { services },
  jobs,
});

describe("an orchestrator", () => {
  test.each<[string, Problem, number, string[]]>([
    [
      "installs a release on an empty device, its services side by side",
      deploying(EMPTY, release("v1", { web: {}, db: { config: { PORT: "5432" } } })),
      3,
      [
        "1. fetch web:v1",
        "2. install web, after 1",
        "3. start web, after 2",
        "4. fetch db:v1",
        "5. install db, after 4",
        "6. start db, after 5",
      ],
    ],
    [
      "makes a container anew whose configuration changes, of the image that is there",
      deploying(deviceOf(WEB_AND_DB), release("v1", { web: { config: { DEBUG: "1" } }, db: {} })),
      4,
      ["1. stop web", "2. remove web, after 1", "3. install web, after 2", "4. start web, after 3"],
    ],
    [
      "updates a release: a fetch beside stop and remove, then install and start, its services side by side",
      deploying(deviceOf(WEB_AND_DB), release("v2", { web: {}, db: {} })),
      4,
      [
        "1. stop web",
        "2. remove web, after 1",
        "3. fetch web:v2",
        "4. install web, after 2 and 3",
        "5. start web, after 4",
        "6. stop db",
        "7. remove db, after 6",
        "8. fetch db:v2",
        "9. install db, after 7 and 8",
        "10. start db, after 9",
      ],
    ],
    [
      "takes what a new release has unchanged over without a stop",
      deploying(deviceOf(WEB_AND_DB), release("v2", { web: {}, db: { image: "db:v1" } })),
      4,
      [
        "1. stop web",
        "2. remove web, after 1",
        "3. fetch web:v2",
        "4. install web, after 2 and 3",
        "5. start web, after 4",
        "6. migrate db",
      ],
    ],
    [
      "installs, then stops what should be there and not run",
      deploying(EMPTY, release("v1", { web: { status: "stopped" } })),
      3,
      ["1. fetch web:v1", "2. install web, after 1", "3. stop web, after 2"],
    ],
    [
      "only stops what ran and is otherwise as it should be",
      deploying(deviceOf(WEB_AND_DB), release("v1", { web: { status: "stopped" }, db: {} })),
      1,
      ["1. stop web"],
    ],
    [
      "starts again what was stopped",
      deploying(deviceOf(release("v1", { web: { status: "stopped" } })), release("v1", { web: {} })),
      1,
      ["1. start web"],
    ],
    [
      "goes on from where an update was left",
      deploying({ services: {}, images: { web: "web:v2" } }, release("v2", { web: {} })),
      2,
      ["1. install web", "2. start web, after 1"],
    ],
    [
      "takes away what a release has no more, while another is updated",
      deploying(deviceOf(WEB_AND_DB), { ...release("v2", { web: { image: "web:v1" } }), db: null }),
      2,
      ["1. migrate web", "2. stop db", "3. remove db, after 2", "4. delete the image of db"],
    ],
    [
      "leaves a device alone that is as it should be",
      deploying(deviceOf(WEB_AND_DB), WEB_AND_DB),
      0,
      ["Nothing is to be done."],
    ],
  ])("%s", (_what, problem, makespan, sentences) => {
    const made = plan(problem);
    expect(toSentences(made)).toEqual(sentences);
    expect(made).toMatchObject({ reached: true, makespan });
    expect(faultsOf(problem)).toEqual([]);
  });

  test("lets a service run whose new image is not to be had, and updates the others", () => {
    const jobs = orchestratorJobs((image) => image !== "db:v2");
    const problem = deploying(deviceOf(WEB_AND_DB), release("v2", { web: {}, db: {} }), jobs);
    const made = plan(problem);
    expect(made).toMatchObject({ reached: false, bound: null });
    // The nearest that there is: web is new, db as it was.
    expect(made.state).toMatchObject({
      services: { ...release("v2", { web: {} }), ...release("v1", { db: {} }) },
      images: { web: "web:v2", db: "db:v1" },
    });
    expect(toSentences(made)).toEqual([
      "1. stop web",
      "2. remove web, after 1",
      "3. fetch web:v2",
      "4. install web, after 2 and 3",
      "5. start web, after 4",
      'Not reached: /services/db/release should be "v2"; it is "v1".',
      'Not reached: /services/db/image should be "db:v2"; it is "db:v1".',
      `Every way was tried (${made.tries} tries).`,
    ]);
    expect(faultsOf(problem)).toEqual([]);
  });

  test("brings thirty services to their release in the time of one", () => {
    const names = Array.from({ length: 30 }, (_, at) => `service_${at}`);
    const all = (version: string) => release(version, Object.fromEntries(names.map((name) => [name, {}])));
    const problem = deploying(deviceOf(all("v1")), all("v2"));
    expect(plan(problem)).toMatchObject({ reached: true, makespan: 4, state: { services: all("v2") } });
    expect(faultsOf(problem)).toEqual([]);
  });
});
