import { existsSync, mkdtempSync, writeFileSync } from "node:fs"
import { stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { keepMode, PAUSE_LIMIT_MS, pauseLeftMs, readPause } from "../../../src/runtime/agent/mode.ts"

const fresh = () => ({ pause: join(mkdtempSync(join(tmpdir(), "zg-mode-")), "paused") })
const since = "2026-11-23T01:02:03.456Z"

test("a pause is there for the next start until it is ended; other modes are not", async () => {
  const home = fresh()
  expect(await readPause(home)).toEqual({ mode: "serving" })
  await keepMode(home, { mode: "paused", since })
  expect(await readPause(home)).toEqual({ mode: "paused", since })
  await keepMode(home, { mode: "draining", since })
  expect(await readPause(home)).toEqual({ mode: "serving" })
  await keepMode(home, { mode: "serving" })
  expect(existsSync(home.pause)).toBe(false)
})

test.each(["", "yesterday", "\0\0\0", "{}"])(
  "a file with %j in it is a pause all the same, since it was written",
  async text => {
    const home = fresh()
    writeFileSync(home.pause, text)
    const { mtime } = await stat(home.pause)
    expect(await readPause(home)).toEqual({ mode: "paused", since: mtime.toISOString() })
  },
)

test("whatever the clock does, leases are kept for no longer than the limit, and not for less than nothing", () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true, min: new Date(0) }), nowDate => {
      const leftMs = pauseLeftMs(since, nowDate.getTime(), PAUSE_LIMIT_MS)
      expect(leftMs).toBeGreaterThanOrEqual(0)
      expect(leftMs).toBeLessThanOrEqual(PAUSE_LIMIT_MS)
    }),
  )
  expect(pauseLeftMs(since, Date.parse(since) + 60_000, PAUSE_LIMIT_MS)).toBe(PAUSE_LIMIT_MS - 60_000)
})
