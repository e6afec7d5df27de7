import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type HeatWatch, watchHeat } from "../../../../src/runtime/bench/gpu/heat-watch.ts"
import { startTelemetry, type Telemetry } from "../../../../src/runtime/host/telemetry/telemetry.ts"
import { installNvidiaSmi, type Play } from "../../../stand-in/nvidia-smi.ts"
import { nvidia, rowOf, until, uuidOf } from "../../host/telemetry/sample-cards.ts"

const NEVER = new AbortController().signal

let folder: string
let stop: AbortController
let telemetry: Telemetry
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-heat-test-"))
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await telemetry.ended
  await rm(folder, { recursive: true })
})

async function start(play: Play): Promise<void> {
  const program = await installNvidiaSmi(folder, { "--query-gpu": play })
  telemetry = startTelemetry(
    { gpus: [nvidia(1), nvidia(2)], sysfs: folder, periodMs: 50, program },
    stop.signal,
  )
}

/** Of cards that may be 83 °C hot. */
const watch = (identity: string | null, blindMs = 60_000) =>
  watchHeat({ telemetry, identity, mostC: 83, blindMs })
const whyOf = ({ stop: { reason } }: HeatWatch) => reason

test("a card over the owner's limit is stopped, and the one beside it is not", async () => {
  await start({
    stdout: rowOf(1, 100, { temperatureC: 84 }) + rowOf(2, 100, { temperatureC: 83 }),
    rounds: 10_000,
  })
  using hot = watch(uuidOf(1))
  using cool = watch(uuidOf(2))
  await Promise.all([hot.begin(NEVER), cool.begin(NEVER)])
  expect(whyOf(hot)).toMatchObject({
    code: "gpu-too-hot",
    message: expect.stringMatching(/84 °C.*bench\.maxTemperatureC allows 83 °C/),
    facts: { temperatureC: 84, mostC: 83 },
  })
  expect(cool.stop.aborted).toBe(false)
})

test("a card that tells no temperature, and one that telemetry does not know, are not taken for cool", async () => {
  await start({ stdout: rowOf(1, 100, { temperatureC: "[N/A]" }), rounds: 10_000 })
  for (const identity of [uuidOf(1), "GPU-of-nobody", null]) {
    using silent = watch(identity, 300)
    await silent.begin(NEVER)
    expect(whyOf(silent)).toMatchObject({
      code: "gpu-unwatched",
      message: expect.stringContaining("no temperature for 0.3 s"),
    })
  }
})

test("a card that falls silent while it is measured is stopped", async () => {
  await start({ stdout: rowOf(1), rounds: 2, hangs: true })
  using falling = watch(uuidOf(1), 300)
  await falling.begin(NEVER)
  await until(() => falling.stop.aborted)
  expect(whyOf(falling)).toMatchObject({ code: "gpu-unwatched" })
})

test("waiting for a temperature ends with the signal, and a watch that is over stops nothing", async () => {
  await start({ stdout: rowOf(1, 100, { temperatureC: 100 }), rounds: 10_000, delayS: 0.5 })
  const aborted = new AbortController()
  const early = watch(uuidOf(1), 400)
  const begun = early.begin(aborted.signal)
  aborted.abort(new Error("enough"))
  await expect(begun).rejects.toThrow("enough")
  early[Symbol.dispose]()
  using later = watch(uuidOf(1))
  await later.begin(NEVER)
  expect([early.stop.aborted, later.stop.aborted]).toEqual([false, true])
})
