/** Operations as a principal may call them: names and digests, and whether they are still the same ones. Caches nothing. */
import { and, asc, gt, inArray, sql, type SQL } from "drizzle-orm";
import type { Database } from "./database.ts";
import { activeOperations, answered } from "./describe.ts";
import { entities } from "./schema.ts";

/** Which operations. Only active ones ever are. */
export type Selection = {
  /** undefined: of every group. */
  groups: readonly string[] | undefined;
  /** The functions of the platform that may be among them, and whether under the names that they came with. */
  functions: readonly string[];
  builtins: boolean;
};

/** In the order of names, after `cursor`. */
export function selectOperations(
  database: Database,
  { limit, cursor, ...selection }: Selection & { limit: number; cursor: string | undefined },
): Promise<{ name: string; digest: string }[]> {
  return answered(
    database
      .select({ name: entities.name, digest: entities.digest })
      .from(entities)
      .where(and(selected(selection), cursor === undefined ? undefined : gt(entities.name, cursor)))
      .orderBy(asc(entities.name))
      .limit(limit),
  );
}

/** A text that is another one after any of the selected was written, came or went. */
export async function fingerprint(database: Database, selection: Selection): Promise<string> {
  const [row] = await answered(
    database
      .select({
        text: sql<string>`count(*) || ' ' || coalesce(sum(${entities.revision}), 0) || ' ' || coalesce(max(${entities.updated_at}), '')`,
      })
      .from(entities)
      .where(selected(selection)),
  );
  return row?.text ?? "";
}

const GROUP = sql`json_extract(${entities.manifest}, '$.group')`;
const FUNCTION = sql`json_extract(${entities.resolved}, '$.implementation.function')`;

function selected({ groups, functions, builtins }: Selection): SQL | undefined {
  const allowed = inArray(FUNCTION, [...functions]);
  const renamed = builtins ? undefined : sql`${FUNCTION} <> ${entities.name}`;
  return activeOperations([
    ...(groups === undefined ? [] : [inArray(GROUP, [...groups])]),
    sql`(${FUNCTION} IS NULL OR (${and(allowed, renamed)}))`,
  ]);
}
