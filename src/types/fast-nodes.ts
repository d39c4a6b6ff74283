/**
 * The containers of the fast way, as valibot schemas that build no copy, look only at own keys, and report each fault
 * by the number of its check. Everything a JSON Schema says about one container is looked at even after a fault, as
 * the library does.
 */
import * as v from "valibot";
import { spendStep } from "./budget.ts";
import { areUnique } from "./values.ts";

export type Check = v.GenericSchema;
type Bound = { limit: number; number: string } | undefined;

type Dataset = { value: unknown; typed?: boolean; issues?: [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]] };
/** With `abortEarly` one fault is enough: only the verdict is wanted. */
type Config = { readonly abortEarly?: boolean };
type Run = (dataset: Dataset, config: Config) => void;

export type ObjectRules = {
  type: string;
  entries: ReadonlyMap<string, Check>;
  /** For keys not in `entries`; undefined lets them be. */
  rest: Check | undefined;
  required: readonly string[];
  requiredNumber: string;
  min: Bound;
  max: Bound;
};

export function objectNode(rules: ObjectRules): Check {
  // What is cheap to refuse comes first, so that the tag of a union's member is looked at before its contents.
  const isContainer = ([, check]: [string, Check]): number =>
    Number(check.type.startsWith("json_") || check.type === "lazy");
  const entries = [...rules.entries].toSorted((a, b) => isContainer(a) - isContainer(b));
  const { rest, required, min, max } = rules;
  return node("json_object", (dataset, config) => {
    const input = dataset.value;
    if (typeof input !== "object" || input === null || Array.isArray(input)) return report(dataset, rules.type, input);
    const record = input as Record<string, unknown>;
    for (const name of required) {
      if (!Object.hasOwn(record, name)) {
        report(dataset, rules.requiredNumber, input);
        break;
      }
    }
    for (const [name, check] of entries) {
      if (config.abortEarly === true && dataset.issues !== undefined) return;
      if (Object.hasOwn(record, name)) runInner(dataset, config, check, name, record[name]);
    }
    if (rest !== undefined) {
      for (const name of Object.keys(record)) {
        if (config.abortEarly === true && dataset.issues !== undefined) return;
        if (!rules.entries.has(name)) runInner(dataset, config, rest, name, record[name]);
      }
    }
    if (min !== undefined || max !== undefined) checkSize(dataset, Object.keys(record).length, min, max);
  });
}

export type ArrayRules = { type: string; items: Check | undefined; unique: string | undefined; min: Bound; max: Bound };

export function arrayNode({ type, items, unique, min, max }: ArrayRules): Check {
  return node("json_array", (dataset, config) => {
    const input = dataset.value;
    if (!Array.isArray(input)) return report(dataset, type, input);
    if (items !== undefined) {
      for (let index = 0; index < input.length; index++) {
        if (config.abortEarly === true && dataset.issues !== undefined) return;
        runInner(dataset, config, items, index, input[index]);
      }
    }
    checkSize(dataset, input.length, min, max);
    if (unique !== undefined && !areUnique(input)) report(dataset, unique, input);
  });
}

/** `telling` is the alternative whose own faults are reported when none fits. */
export function anyOfNode(options: readonly Check[], number: string, telling?: Check): Check {
  return node("json_any_of", (dataset, config) => {
    for (const option of options) {
      spendStep();
      if (option["~run"]({ value: dataset.value }, { abortEarly: true }).issues === undefined) return;
    }
    if (telling === undefined || config.abortEarly === true) return report(dataset, number, dataset.value);
    for (const issue of telling["~run"]({ value: dataset.value }, config).issues ?? []) push(dataset, issue);
  });
}

function checkSize(dataset: Dataset, size: number, min: Bound, max: Bound): void {
  if (min !== undefined && size < min.limit) report(dataset, min.number, dataset.value);
  if (max !== undefined && size > max.limit) report(dataset, max.number, dataset.value);
}

function runInner(dataset: Dataset, config: Config, check: Check, key: string | number, value: unknown): void {
  const { issues } = check["~run"]({ value }, config);
  if (issues === undefined) return;
  const item = { type: "unknown", origin: "value", input: dataset.value, key, value } as const;
  for (const issue of issues) {
    const path: [v.IssuePathItem, ...v.IssuePathItem[]] = issue.path === undefined ? [item] : [item, ...issue.path];
    push(dataset, { ...issue, path });
  }
}

function report(dataset: Dataset, number: string, input: unknown): void {
  push(dataset, { kind: "schema", type: "json", input, expected: null, received: "", message: number });
}

function push(dataset: Dataset, issue: v.BaseIssue<unknown>): void {
  if (dataset.issues === undefined) dataset.issues = [issue];
  else dataset.issues.push(issue);
}

/** A valibot schema from a function that adds issues to a dataset. */
function node(type: string, run: Run): Check {
  const schema = {
    ...v.unknown(),
    type,
    reference: node,
    "~run"(dataset: Dataset, config: Config): Dataset {
      run(dataset, config);
      dataset.typed = true;
      return dataset;
    },
  };
  return schema as unknown as Check;
}
