/**
 * How much work one check may be. Alternatives of a recursive type can make it grow with the power of the value's
 * depth, so both ways of checking count the steps that can repeat work. A check is synchronous, so one counter does.
 */
const MAX_STEPS = 500_000;

let left = MAX_STEPS;

export class BudgetExceeded extends Error {}

/** First thing in each check: a check that was stopped leaves nothing behind for the next. */
export function resetBudget(): void {
  left = MAX_STEPS;
}

/** Throws BudgetExceeded when the check has become too much. */
export function spendStep(): void {
  if (--left < 0) throw new BudgetExceeded();
}
