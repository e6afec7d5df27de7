import { expect, test } from "vitest"
import { openMeter } from "../../../../src/runtime/host/telemetry/meter.ts"
import { UNREAD } from "../../../../src/runtime/host/telemetry/sample.ts"
import { everyPeriod } from "../../../../src/runtime/host/telemetry/ticks.ts"
import { Track } from "../../../../src/runtime/host/telemetry/track.ts"
import { nvidia } from "./sample-cards.ts"

/** A card that is sampled by hand, at times by hand. */
function tracked() {
  const clock = { mono: 1000, wall: 5_000_000 }
  const track = new Track(nvidia(1), 1000, () => clock.mono)
  const pass = (ms: number) => {
    clock.mono += ms
    clock.wall += ms
  }
  const sample = (powerDrawW: number | null, vramUsedMiB: number | null = null) =>
    track.take({ ...UNREAD, powerDrawW, vramUsedMiB, temperatureC: 50 })
  const clocks = { mono: () => clock.mono, wall: () => clock.wall }
  return { track, clock, clocks, pass, sample }
}

test("a sample stands for three periods, then there is a gap", () => {
  const { track, pass, sample } = tracked()
  sample(100)
  pass(3000)
  expect(track.latest?.powerDrawW).toBe(100)
  pass(1)
  expect(track.latest).toBeNull()
})

test("missed periods are counted, lateness is not; a reading without values is a missed one", () => {
  const { track, pass, sample } = tracked()
  for (const ms of [1000, 1050, 1300, 700]) {
    pass(ms)
    sample(1)
  }
  expect(track.gaps).toBe(0)
  pass(1000)
  track.take(UNREAD)
  track.take({ ...UNREAD, throttle: [] })
  pass(1000)
  expect(track.gaps).toBe(1)
  pass(3000)
  expect(track.gaps).toBe(4)
  sample(1)
  expect(track.gaps).toBe(4)
})

test("energy since the start leaves gaps out and is unknown until power is told", () => {
  const { track, pass, sample } = tracked()
  sample(null)
  expect(track.energyJoules).toBeNull()
  for (const ms of [1000, 1000, 10_000, 1000]) {
    pass(ms)
    sample(100)
  }
  expect(track.energyJoules).toBe(200)
})

test("a jump of the machine's clock changes neither energy nor peak", () => {
  const { track, clock, clocks, pass, sample } = tracked()
  sample(100, 7000)
  const startedAt = clock.wall + 500
  pass(600)
  const meter = openMeter([track], clocks)
  pass(400)
  for (let second = 0; second < 20; second++) {
    sample(100, second === 10 ? 300 : 200)
    pass(1000)
    if (second === 5) clock.wall -= 3_600_000
    if (second === 15) clock.wall += 86_400_000
  }
  const finishedAt = clock.wall - 500
  sample(100, 9000)
  meter.close()
  pass(60_000)
  sample(100, 9999)
  const { energyJoules, peakVramBytes } = meter.read(startedAt, finishedAt)
  expect(energyJoules).toBeCloseTo(2000)
  expect(peakVramBytes).toBe(300 * 2 ** 20)
})

test("a shard that ran long before its meter began has no energy to tell, but a peak", () => {
  const { track, clock, clocks, pass, sample } = tracked()
  const startedAt = clock.wall - 30_000
  const meter = openMeter([track], clocks)
  for (let second = 0; second <= 10; second++) {
    sample(100, 200)
    pass(1000)
  }
  expect(meter.read(startedAt, clock.wall)).toEqual({ energyJoules: null, peakVramBytes: 200 * 2 ** 20 })
  expect(meter.read(startedAt + 30_000, clock.wall).energyJoules).toBeCloseTo(1100)
})

test("several cards add up, and one that tells nothing leaves nothing to tell", () => {
  const [a, b] = [tracked(), tracked()]
  const both = openMeter([a.track, b.track], a.clocks)
  const withUnknown = openMeter([a.track, null], a.clocks)
  const startedAt = a.clock.wall
  for (let second = 0; second <= 10; second++) {
    a.sample(100, 200)
    b.sample(50, second < 5 ? null : 300)
    a.pass(1000)
    b.pass(1000)
  }
  const told = both.read(startedAt, a.clock.wall)
  expect(told.energyJoules).toBeCloseTo(1650)
  expect(told.peakVramBytes).toBe(500 * 2 ** 20)
  expect(withUnknown.read(startedAt, a.clock.wall)).toEqual({ energyJoules: null, peakVramBytes: null })
})

test("periods do not drift: a late call does not make the next one late", async () => {
  const stop = new AbortController()
  const places: number[] = []
  const start = performance.now()
  await everyPeriod(
    50,
    () => {
      const now = performance.now() - start
      places.push(Math.floor((now + 5) / 50))
      // Work that blocks for most of a period.
      while (performance.now() - start < now + 30);
      if (places.length === 10) stop.abort()
    },
    stop.signal,
  )
  expect(new Set(places).size).toBe(10)
  expect(places).toEqual(places.toSorted((a, b) => a - b))
})
