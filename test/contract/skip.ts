import type { TestContext } from "vitest"

/** Skips a test and prints why, because vitest's usual reporter keeps a reason to itself. */
export function skip({ skip: leave, task }: TestContext, why: string): never {
  process.stderr.write(`skipped: ${task.name}: ${why}\n`)
  return leave(why)
}
