import { expect, test } from "vitest"
import { steadyClock } from "../../src/marketplace/clock.ts"

/** A machine's clock that can be set, and the time that passes whatever it shows. */
function machine() {
  let [passed, set] = [0, 1_800_000_000_000]
  const clock = steadyClock(
    () => set + passed,
    () => passed,
  )
  return { clock, pass: (ms: number) => (passed += ms), setBy: (ms: number) => (set += ms) }
}

test.each([3_600_000, -3_600_000])("a clock that is set by %i ms passes on evenly", jumpMs => {
  const { clock, pass, setBy } = machine()
  const before = clock()
  pass(500)
  setBy(jumpMs)
  expect(clock() - before).toBe(500)
  pass(500)
  expect(clock() - before).toBe(1000)
})

test("a clock that is slewed is followed", () => {
  const { clock, pass, setBy } = machine()
  const before = clock()
  for (let tick = 0; tick < 10; tick++) {
    pass(200)
    setBy(1)
    clock()
  }
  expect(clock() - before).toBe(2010)
})
