import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import type { Scope } from "../../model/scope.ts";
import { toolChanges } from "./changes.ts";

/** Each look is one step; `at` says what happens before it. */
function setUp(at: Record<number, (state: State) => void>) {
  const state: State = { revision: 1, tools: "a", scopes: ["ops:invoke"], failure: undefined, asked: 0 };
  let look = 0;
  const changes = toolChanges({
    principalId: "p",
    view: { groups: undefined, builtins: false },
    sleep: async () => at[++look]?.(state),
    registry: {
      principalById: async (id) => {
        if (state.failure !== undefined) throw state.failure;
        return { id, name: id, scopes: state.scopes };
      },
      known: async () => state.revision,
      fingerprint: async () => {
        state.asked++;
        return state.tools;
      },
    },
  });
  return { changes, state, looks: () => look };
}
type State = { revision: number; tools: string; scopes: Scope[]; failure: Error | undefined; asked: number };

describe("toolChanges()", () => {
  test("says nothing of what was there before, a sign now and then, and asks nothing while the registry stands still", async () => {
    const { changes, state, looks } = setUp({});
    expect(await changes.next()).toEqual({ done: false, value: false });
    expect(looks()).toBe(8);
    expect(await changes.next()).toEqual({ done: false, value: false });
    expect([looks(), state.asked]).toEqual([16, 1]);
  });

  test("tells a change once", async () => {
    const { changes, looks } = setUp({ 3: (state) => Object.assign(state, { revision: 2, tools: "b" }) });
    expect(await changes.next()).toEqual({ done: false, value: true });
    expect(looks()).toBe(3);
    expect(await changes.next()).toEqual({ done: false, value: false });
  });

  test("does not tell what concerns other tools", async () => {
    const { changes, state } = setUp({ 3: (now) => Object.assign(now, { revision: 2 }) });
    expect(await changes.next()).toEqual({ done: false, value: false });
    expect(state.asked).toBe(2);
  });

  test("tells that the token sees others now", async () => {
    const { changes, looks } = setUp({ 2: (state) => Object.assign(state, { revision: 2, scopes: ["ops:invoke:a"] }) });
    expect(await changes.next()).toEqual({ done: false, value: true });
    expect(looks()).toBe(2);
  });

  test.each(["token_revoked", "token_expired", "token_unknown"] as const)("ends with %s", async (code) => {
    const { changes } = setUp({ 2: (state) => (state.failure = new SwitchyardError(code, "Cannot use it")) });
    expect(await changes.next()).toEqual({ done: true, value: undefined });
  });

  test("goes on while the registry is away, and tells what changed meanwhile", async () => {
    const { changes, looks } = setUp({
      2: (state) => (state.failure = new SwitchyardError("registry_unavailable", "Cannot read it")),
      5: (state) => Object.assign(state, { failure: undefined, revision: 7, tools: "c" }),
    });
    expect(await changes.next()).toEqual({ done: false, value: true });
    expect(looks()).toBe(5);
  });
});
