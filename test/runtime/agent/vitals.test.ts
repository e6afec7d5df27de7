import { expect, test } from "vitest"
import { longestMs, stuck } from "../../../src/runtime/agent/vitals.ts"
import type { Work } from "../../../src/runtime/agent/work.ts"
import type { ShardState } from "../../../src/runtime/shard/state.ts"
import { ABANDONED, COMMITTED, LEASED, PREPARED, PROVED, RAN, RUNNING, SETTLED } from "../shard/sample.ts"

const work = (state: ShardState, change: Partial<Work> = {}): Work => ({
  ...{ state, progress: null, isHeld: false, since: 0, stop: new AbortController() },
  ...change,
})

test.each([LEASED, PREPARED, RUNNING, RAN])(
  "$step for longer than any of its waits may last is stuck",
  state => {
    const limitMs = longestMs(state) ?? 0
    expect(limitMs).toBeGreaterThan(0)
    expect(stuck([work(state)], limitMs)).toEqual([])
    expect(stuck([work(state), work(state, { since: 1 })], limitMs + 1)).toHaveLength(1)
    expect(stuck([work(state, { isHeld: true })], limitMs + 1)).toEqual([])
  },
)

test("a running shard has all of its own time", () => {
  expect(longestMs(RUNNING)).toBeGreaterThan(RUNNING.assignment.spec.limits.timeMs)
})

test.each([PROVED, COMMITTED, SETTLED, ABANDONED])("$step waits for others, who may be away", state => {
  expect(stuck([work(state)], Number.MAX_SAFE_INTEGER)).toEqual([])
})
