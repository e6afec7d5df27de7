import fc from "fast-check"
import { expect, test } from "vitest"
import { dropsOf } from "../../../../src/runtime/bench/gpu/drop.ts"
import { nextRuns } from "../../../../src/runtime/bench/gpu/exercise.ts"
import { rowsFor } from "../../../../src/runtime/bench/gpu/figures.ts"
import { entry, prepareProof } from "../../../../src/runtime/bench/gpu/freivalds.ts"
import { halfBits, halves } from "../../../../src/runtime/bench/gpu/half.ts"
import { Pace } from "../../../../src/runtime/bench/gpu/pace.ts"
import {
  FULL,
  forSoftware,
  forTogether,
  longestMs,
  Plan,
  QUICK,
  STANDARD,
} from "../../../../src/runtime/bench/gpu/plan.ts"
import { heard } from "../../../../src/runtime/bench/gpu/said.ts"
import { joinTimeline } from "../../../../src/runtime/bench/gpu/timeline.ts"
import { watchdog } from "../../../../src/runtime/bench/gpu/watchdog.ts"
import { UNREAD } from "../../../../src/runtime/host/telemetry/sample.ts"

const SIZE = 16
const RANGE = 256

function product(): Float32Array {
  const proof = new Float32Array(SIZE * SIZE)
  for (let row = 0; row < SIZE; row++)
    for (let column = 0; column < SIZE; column++) {
      let sum = 0
      for (let k = 0; k < SIZE; k++)
        sum += entry("A", k * SIZE + row, RANGE) * entry("B", k * SIZE + column, RANGE)
      proof[row * SIZE + column] = sum
    }
  return proof
}

test("a right product is taken, and one wrong bit anywhere is found in its row", () => {
  const proof = prepareProof({ size: SIZE, range: RANGE }, () => {})
  expect(proof.wrongRow(product(), 0)).toBeNull()
  expect(proof.wrongRow(product().subarray(3 * SIZE), 3)).toBeNull()
  fc.assert(
    fc.property(fc.nat(SIZE * SIZE - 1), fc.nat(31), (at, bit) => {
      const spoilt = product()
      const bits = new Uint32Array(spoilt.buffer)
      bits[at] = (bits[at] ?? 0) ^ (1 << bit)
      // Minus zero is zero.
      if (spoilt[at] === product()[at]) return
      expect(proof.wrongRow(spoilt, 0)).toBe(Math.floor(at / SIZE))
    }),
  )
})

test("two wrong entries of a row do not make up for each other", () => {
  const proof = prepareProof({ size: SIZE, range: RANGE }, () => {})
  const places = fc.uniqueArray(fc.nat(SIZE - 1), { minLength: 2, maxLength: 2 })
  fc.assert(
    fc.property(places, fc.integer({ min: 1, max: 1000 }), ([one = 0, other = 1], by) => {
      const spoilt = product()
      spoilt[one] = (spoilt[one] ?? 0) + by
      spoilt[other] = (spoilt[other] ?? 0) - by
      expect(proof.wrongRow(spoilt, 0)).toBe(0)
    }),
  )
})

test("16-bit floats hold the operands exactly", () => {
  const known = halves()
  for (let whole = -1024; whole <= 1024; whole++) expect(known[halfBits(whole)]).toBe(whole)
  expect([known[0x3555], known[0x0001], known[0x7c00], known[0xfbff]]).toEqual([
    Math.fround(1365 / 4096),
    2 ** -24,
    Number.POSITIVE_INFINITY,
    -65_504,
  ])
  expect(known[0x7e00]).toBeNaN()
})

test("runs are added until they fill a window, and never by more than fourfold", () => {
  expect(nextRuns(1, 0.001, 0.05)).toBe(4)
  expect(nextRuns(16, 0.02, 0.05)).toBe(40)
  expect(nextRuns(40, 0.048, 0.05)).toBe(40)
  expect(nextRuns(40, 0.1, 0.05)).toBe(20)
  expect(nextRuns(1, 3, 0.05)).toBe(1)
  expect(nextRuns(4, 0, 0.05)).toBe(16)
})

test("matrices are as large as fits into a repeat", () => {
  expect(rowsFor({ rows: 512, seconds: 0.000_05 }, 0.05, 4096)).toBe(4096)
  expect(rowsFor({ rows: 512, seconds: 0.0005 }, 0.05, 4096)).toBe(2048)
  expect(rowsFor({ rows: 512, seconds: 0.04 }, 0.05, 4096)).toBe(512)
  expect(rowsFor({ rows: 512, seconds: 2 }, 0.05, 4096)).toBe(256)
})

test("plans hold what they say, and their limits are long enough", () => {
  for (const plan of [QUICK, STANDARD, FULL]) {
    for (const one of [plan, forSoftware(plan), forTogether(plan)]) expect(Plan.parse(one)).toEqual(one)
  }
  expect(longestMs(QUICK)).toBeGreaterThan(QUICK.figures.length * QUICK.budget.limitMs)
  expect(longestMs(FULL)).toBeGreaterThan(480_000 + longestMs(QUICK))
  expect(forTogether(FULL)).toMatchObject({ isPaced: true, vram: null, repeat: null, sustainSeconds: null })
})

test("what a driver prints is no word of the child's", () => {
  expect(heard("Warning: vkCreateInstance: Found no drivers!")).toBeNull()
  expect(heard('{"type":"measured","measurement":{}}')).toBeNull()
  expect(heard("{not json")).toBeNull()
  expect(heard('{"type":"begun","name":"matmul-fp32"}')).toEqual({ type: "begun", name: "matmul-fp32" })
})

test("cards go together, each figure at a time, and without those that left", () => {
  const gone: string[] = []
  const pace = new Pace(3)
  const ready = (place: number, name: string) =>
    pace.ready(place, name, () => void gone.push(`${place}:${name}`))
  ready(0, "matmul-fp32")
  ready(1, "matmul-fp32")
  expect(gone).toEqual([])
  // The third cannot do the first figure: it waits while the others do.
  ready(2, "memory-copy")
  expect(gone).toEqual(["0:matmul-fp32", "1:matmul-fp32"])
  ready(0, "memory-copy")
  pace.leave(1)
  expect(gone.slice(2).toSorted()).toEqual(["0:memory-copy", "2:memory-copy"])
  pace.leave(0)
  ready(2, "device-to-host")
  expect(gone.at(-1)).toBe("2:device-to-host")
})

test("a watchdog tells silence from waiting, and hears the signal", async () => {
  const never = new AbortController()
  {
    using dog = watchdog({ limitMs: 60_000, silenceMs: 1 }, never.signal)
    expect(await dog.barked).toBe("silent")
  }
  {
    using dog = watchdog({ limitMs: 1, silenceMs: 60_000 }, never.signal)
    dog.wake()
    expect(await dog.barked).toBe("late")
  }
  {
    using dog = watchdog({ limitMs: 30, silenceMs: 1 }, never.signal)
    dog.rest()
    expect(await dog.barked).toBe("late")
  }
  using dog = watchdog({ limitMs: 60_000, silenceMs: 60_000 }, never.signal)
  never.abort()
  expect(await dog.barked).toBe("aborted")
})

test("a timeline has what the card told near each moment, and null where it told nothing", () => {
  const sample = (at: number, temperatureC: number) => ({
    ...UNREAD,
    at,
    temperatureC,
    coreMhz: 1800,
    powerDrawW: 320,
    throttle: ["power" as const],
  })
  const rates = [
    { at: 1000, second: 1, perSecond: 30e12 },
    { at: 2000, second: 2, perSecond: 29e12 },
    { at: 9000, second: 9, perSecond: 20e12 },
  ]
  expect(joinTimeline(rates, [sample(900, 60), sample(1900, 65)])).toMatchObject([
    { second: 1, flops: 30e12, temperatureC: 60, coreMhz: 1800, powerW: 320, throttle: ["power"] },
    { second: 2, temperatureC: 65, memoryMhz: null },
    { second: 9, flops: 20e12, temperatureC: null, powerW: null, throttle: null },
  ])
})

test("what all at once cost is told for each figure that was taken both ways", () => {
  const figure = (name: string, median: number) => ({
    ...{ name, unit: "B/s" as const, median, lowerQuartile: median, upperQuartile: median },
    ...{ repeats: 3, clock: "host" as const },
  })
  expect(
    dropsOf(
      [figure("host-to-device", 8e9), figure("memory-copy", 0)],
      [figure("host-to-device", 2e9), figure("memory-copy", 1), figure("device-to-host", 1)],
    ),
  ).toEqual([{ name: "host-to-device", alone: 8e9, together: 2e9, lost: 0.75 }])
})
