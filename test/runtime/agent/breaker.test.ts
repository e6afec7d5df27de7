import fc from "fast-check"
import { expect, test } from "vitest"
import { blame, QUICK_FAILURE_MS } from "../../../src/runtime/agent/blame.ts"
import {
  admits,
  type Breaker,
  CLOSED,
  failed,
  IMAGE_TERMS,
  SLOT_TERMS,
  succeeded,
  taken,
  unproven,
} from "../../../src/runtime/agent/breaker.ts"
import { Breakers, type Pairing } from "../../../src/runtime/agent/breakers.ts"
import type { EndState, Proved } from "../../../src/runtime/shard/state.ts"

const { failures, firstMs, longestMs } = IMAGE_TERMS

function failedTimes(breaker: Breaker, times: number, now: number, terms = IMAGE_TERMS): Breaker {
  return Array.from({ length: times }).reduce<Breaker>(one => failed(one, "same", now, terms), breaker)
}

test("it opens at the third failure in a row, and not at the second", () => {
  expect(admits(failedTimes(CLOSED, failures - 1, 0), 0)).toBe(true)
  expect(failedTimes(CLOSED, failures, 0)).toEqual({ state: "open", until: firstMs, trips: 1 })
  const mended = succeeded()
  expect(admits(failedTimes(mended, failures - 1, 0), 0)).toBe(true)
})

test("after its time it lets one trial through, whose failure doubles the time up to the longest", () => {
  let breaker = failedTimes(CLOSED, failures, 0)
  let now = 0
  for (let trip = 1; trip < 16; trip++) {
    if (breaker.state !== "open") throw new Error("not open")
    expect(breaker.until - now).toBe(Math.min(longestMs, firstMs * 2 ** (trip - 1)))
    expect(admits(breaker, breaker.until - 1)).toBe(false)
    now = breaker.until
    expect(admits(breaker, now)).toBe(true)
    breaker = taken(breaker)
    expect(admits(breaker, now)).toBe(false)
    breaker = failed(breaker, "same", now, IMAGE_TERMS)
  }
})

test("a trial that says nothing makes room for the next one at once, and keeps the count", () => {
  const trial = taken(failedTimes(CLOSED, failures, 0))
  const again = unproven(trial, firstMs)
  expect(admits(again, firstMs)).toBe(true)
  expect(failed(taken(again), "same", firstMs, IMAGE_TERMS)).toMatchObject({ until: firstMs * 3, trips: 2 })
})

test("a slot is not blamed for one image, however often it fails", () => {
  expect(admits(failedTimes(CLOSED, 50, 0, SLOT_TERMS), 0)).toBe(true)
  expect(admits(failed(failedTimes(CLOSED, 50, 0, SLOT_TERMS), "another", 0, SLOT_TERMS), 0)).toBe(false)
})

const Event = fc.oneof(
  fc.record({ kind: fc.constant("failed" as const), cause: fc.constantFrom("a", "b", "c") }),
  fc.record({ kind: fc.constantFrom("take" as const, "succeeded" as const, "unproven" as const) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(longestMs * 2) }),
)

test.each([IMAGE_TERMS, SLOT_TERMS])("whatever happens: %o", terms => {
  fc.assert(
    fc.property(fc.array(Event, { maxLength: 60 }), events => {
      let breaker = CLOSED
      let now = 0
      let inRow: string[] = []
      for (const event of events) {
        const before = breaker
        if (event.kind === "wait") now += event.ms
        else if (event.kind === "take") breaker = admits(breaker, now) ? taken(breaker) : breaker
        else if (event.kind === "succeeded") breaker = succeeded()
        else if (event.kind === "unproven") breaker = unproven(breaker, now)
        else if (event.kind === "failed") breaker = failed(breaker, event.cause, now, terms)
        if (event.kind === "succeeded") inRow = []
        if (event.kind === "failed") inRow.push(event.cause)
        // It never stays open for longer than the longest time, and after that time somebody gets through.
        if (breaker.state === "open") {
          expect(breaker.until - now).toBeLessThanOrEqual(terms.longestMs)
          expect(admits(breaker, now + terms.longestMs)).toBe(true)
        }
        // There is one trial at a time.
        if (breaker.state === "half-open") expect(admits(breaker, now)).toBe(false)
        // It opens by enough failures of enough causes since the last success, and by nothing else.
        if (before.state === "closed" && breaker.state !== "closed") {
          expect(event.kind).toBe("failed")
          const last = inRow.slice(-terms.failures)
          expect(last).toHaveLength(terms.failures)
          expect(new Set(last).size).toBeGreaterThanOrEqual(terms.causes)
        }
        if (event.kind === "succeeded") expect(breaker).toEqual(CLOSED)
      }
    }),
  )
})

const ended = (code: string, from = "leased") => ({ step: "abandoned", code, from }) as EndState

test.each([
  [{ step: "settled" } as EndState, 0, "well"],
  [{ step: "proved" } as Proved, 0, "well"],
  [ended("audit-failed", "committed"), 600_000, "image-or-slot"],
  [ended("audit-undecided", "committed"), 600_000, "nobody"],
  [ended("image-not-pulled"), 600_000, "image"],
  [ended("container-not-created", "prepared"), 100, "image-or-slot"],
  [ended("gpu-unusable", "prepared"), 100, "image-or-slot"],
  [ended("shard-failed", "running"), QUICK_FAILURE_MS - 1, "image-or-slot"],
  [ended("shard-failed", "running"), QUICK_FAILURE_MS, "nobody"],
  [ended("shard-cancelled", "running"), 100, "nobody"],
  [ended("shard-paused-too-long", "running"), 100, "nobody"],
  [ended("disk-full"), 100, "nobody"],
  [ended("lease-stale", "running"), 100, "nobody"],
])("%o after %d ms speaks of: %s", (end, lastedMs, verdict) => {
  expect(blame(end, lastedMs)).toBe(verdict)
})

const image = (name: string) => `sha256:${name.repeat(64)}` as Pairing["image"]
const pairing = (change: Partial<Pairing>): Pairing => ({
  image: image("a"),
  job: "job-1",
  slot: "one",
  ...change,
})

test("a card on which different images fail is left out; the other card and the images go on", () => {
  let now = 0
  const breakers = new Breakers(() => now)
  for (const name of ["a", "b", "c"])
    breakers.ended(pairing({ image: image(name), slot: "bad" }), "image-or-slot")
  expect([breakers.servesSlot("bad"), breakers.servesSlot("good")]).toEqual([false, true])
  expect(breakers.admitsImage(image("a"))).toBe(true)
  expect(breakers.report()).toEqual([{ guards: "slot", id: "bad", state: "open", leftMs: firstMs }])
  expect(breakers.nextTrialMs).toBe(firstMs)
  now = firstMs
  expect([breakers.servesSlot("bad"), breakers.nextTrialMs]).toEqual([true, null])
  const trial = pairing({ slot: "bad" })
  breakers.taken(trial)
  expect(breakers.report()).toMatchObject([{ state: "half-open" }])
  breakers.ended(trial, "well")
  expect(breakers.report()).toEqual([])
})

test("an image that fails for several jobs is left alone on every card, and no card is blamed for it", () => {
  const breakers = new Breakers(() => 0)
  for (const [slot, job] of [
    ["one", "1"],
    ["two", "1"],
    ["one", "1"],
    ["two", "2"],
  ] as const) {
    expect(breakers.admitsImage(image("a"))).toBe(true)
    breakers.ended(pairing({ slot, job }), "image-or-slot")
  }
  expect([breakers.admitsImage(image("a")), breakers.admitsImage(image("b"))]).toEqual([false, true])
  expect([breakers.servesSlot("one"), breakers.servesSlot("two")]).toEqual([true, true])
})

test("one buyer's wrong program closes no image to others; an image that cannot be had is closed for one job too", () => {
  const breakers = new Breakers(() => 0)
  for (let time = 0; time < 20; time++) breakers.ended(pairing({}), "image-or-slot")
  expect(breakers.admitsImage(image("a"))).toBe(true)
  for (let time = 0; time < failures; time++) breakers.ended(pairing({ image: image("b") }), "image")
  expect(breakers.admitsImage(image("b"))).toBe(false)
})

test("ever new images cannot fill the memory", () => {
  const breakers = new Breakers(() => 0)
  const name = (index: number) => `sha256:${index.toString(16).padStart(64, "0")}` as Pairing["image"]
  for (let index = 0; index < 1200; index++)
    for (let time = 0; time < failures; time++) breakers.ended(pairing({ image: name(index) }), "image")
  expect(breakers.report()).toHaveLength(1024)
  expect(breakers.admitsImage(name(1199))).toBe(false)
})
