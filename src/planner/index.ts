/** The planner's front door. Pure, with no imports from outside this folder. */
export { toDecisions, toMermaid, toSentences } from "./explain.ts";
export { withTarget } from "./goals.ts";
export {
  compileJobs,
  JobFault,
  type AtomicJob,
  type CompoundJob,
  type Job,
  type JobContext,
  type JobReference,
} from "./job.ts";
export {
  differences,
  isSame,
  overlap,
  parsePointer,
  toPointer,
  valueAt,
  withValue,
  type Json,
  type Path,
  type Value,
} from "./json.ts";
export { DEFAULT_LIMITS, plan, planAsync, type Plan, type Problem, type Step, type Unmet } from "./plan.ts";
