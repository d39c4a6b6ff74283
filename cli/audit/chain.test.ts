/** The chain as opctl computes it from rows: what a platform says of its own log is not believed. */
import { describe, expect, test } from "vitest";
import { GENESIS, hashOfChange } from "../../src/registry/audit/chain.ts";
import type { ChangeView } from "./api.ts";
import { checkChain } from "./chain.ts";

const COUNT = 7;

/** Newest first, as the platform answers. */
async function log(forge: (row: ChangeView) => Partial<ChangeView> = () => ({})): Promise<ChangeView[]> {
  const rows: ChangeView[] = [];
  let previous = GENESIS;
  for (let seq = 1; seq <= COUNT; seq++) {
    const link = {
      seq,
      kind: "type" as const,
      name: `t${seq}`,
      action: "create" as const,
      author: "a",
      author_name: "ada",
      caller: null,
      before: null,
      after: `d${seq}`,
      revision: 1,
      uses: null,
      at: "2026-11-21T12:00:00.000Z",
    };
    previous = await hashOfChange(previous, link);
    rows.unshift({ ...link, hash: previous });
  }
  for (const row of rows) Object.assign(row, forge(row));
  return rows;
}

async function* pages(rows: readonly ChangeView[], size = 3): AsyncGenerator<readonly ChangeView[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size);
}

const on = (seq: number, forged: Partial<ChangeView>) => (row: ChangeView) => (row.seq === seq ? forged : {});

describe("checkChain()", () => {
  test("holds, whatever the size of a page, against heads noted earlier", async () => {
    const rows = await log();
    for (const size of [1, 2, COUNT]) {
      for (const { seq, hash } of rows) {
        const chain = await checkChain(pages(rows, size), { seq, hash: hash ?? "" });
        expect(chain).toEqual({ changes: COUNT, head: { seq: COUNT, hash: rows[0]?.hash }, broken: undefined });
      }
    }
    expect(await checkChain(pages([]), undefined)).toEqual({ changes: 0, head: undefined, broken: undefined });
  });

  test.each<[what: string, forge: (row: ChangeView) => Partial<ChangeView>, seq: number]>([
    ["another author", on(3, { author: "x" }), 3],
    ["another hash", on(3, { hash: "x" }), 3],
    ["no hash", on(COUNT, { hash: null }), COUNT],
    ["a forged first row", on(1, { name: "x" }), 1],
    ["the first of two", (row) => (row.seq === 2 || row.seq === 5 ? { at: "x" } : {}), 2],
  ])("finds %s", async (_what, forge, seq) => {
    const { broken } = await checkChain(pages(await log(forge)), undefined);
    expect(broken).toMatchObject({
      seq,
      detail: expect.stringMatching(`^change ${seq} .* by ada\\): its hash must be`) as string,
    });
  });

  test("believes no names that the platform adds, and needs none", async () => {
    const rows = await log(() => ({ author_name: "somebody else" }));
    expect((await checkChain(pages(rows), undefined)).broken).toBeUndefined();
  });

  test.each([
    ["a row that is gone", 4, /^change 4: it must be in the log; the next is 5/],
    ["the first row gone", 1, /^change 1: it must be in the log; the next is 2/],
  ])("finds %s", async (_what, seq, detail) => {
    const rows = (await log()).filter((row) => row.seq !== seq);
    expect((await checkChain(pages(rows), undefined)).broken?.detail).toMatch(detail);
  });

  test("finds a log cut short, or written anew, only by a head that was noted", async () => {
    const rows = await log();
    const noted = { seq: 6, hash: rows[1]?.hash ?? "" };
    const short = rows.slice(2);
    expect((await checkChain(pages(short), undefined)).broken).toBeUndefined();
    expect((await checkChain(pages(short), noted)).broken?.detail).toBe(
      "the log must reach change 6, which was noted; it ends at 5",
    );
    const anew: ChangeView[] = [];
    let previous = GENESIS;
    for (const row of rows.toReversed()) {
      const forged = { ...row, author: "nobody" };
      previous = await hashOfChange(previous, forged);
      anew.unshift({ ...forged, hash: previous });
    }
    expect((await checkChain(pages(anew), undefined)).broken).toBeUndefined();
    expect((await checkChain(pages(anew), noted)).broken?.detail).toMatch(
      /^change 6: its hash must be .*, as it was noted/,
    );
  });
});
