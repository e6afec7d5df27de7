import { expect, test } from "vitest"
import { Hold } from "../../../src/runtime/agent/hold.ts"

const never = new AbortController().signal
const HOUR_MS = 3_600_000

test("without a hold nobody waits and nobody is suspended", async () => {
  const hold = new Hold()
  hold.end()
  expect([hold.isOn, hold.suspend.aborted, await hold.wait(never)]).toEqual([false, false, true])
})

test("its begin suspends what runs, its end lets everybody go on, and the next one suspends anew", async () => {
  const hold = new Hold()
  const { suspend } = hold
  hold.begin(HOUR_MS)
  expect([hold.isOn, suspend.aborted, hold.suspend === suspend]).toEqual([true, true, true])
  const waiting = [hold.wait(never), hold.wait(never)]
  hold.begin(0)
  hold.end()
  expect(await Promise.all(waiting)).toEqual([true, true])
  expect([hold.isOn, hold.suspend.aborted]).toEqual([false, false])
  const again = hold.suspend
  hold.begin(HOUR_MS)
  expect(again.aborted).toBe(true)
})

test("after its time, whoever waits or comes is told so", async () => {
  const hold = new Hold()
  hold.begin(0)
  expect([await hold.wait(never), await hold.wait(never)]).toEqual([false, false])
  expect(hold.isOn).toBe(true)
})

test("a shutdown ends the waiting, and not as if it had lasted too long", async () => {
  const hold = new Hold()
  hold.begin(HOUR_MS)
  const stop = new AbortController()
  const waiting = hold.wait(stop.signal)
  stop.abort()
  expect(await waiting).toBe(true)
  expect(await hold.wait(stop.signal)).toBe(true)
})
