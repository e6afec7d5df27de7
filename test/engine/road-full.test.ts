import { readdir } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { watchedDisks } from "../../src/runtime/container/disks.ts"
import { mountSmallDisk } from "../stand-in/small-disk.ts"
import { type Bench, engineOrReason, makeBench, walkToEnd } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const LOG_BYTES = 1_500_000
const chatty = { argv: ["sh", "-c", `head -c ${LOG_BYTES} /dev/zero; echo done > /shard/out/result.txt`] }

within(
  "a shard whose folders find no room is abandoned with disk-full, and leaves nothing there",
  async context => {
    const disk = await mountSmallDisk(context)
    try {
      const full = { ...bench, ports: { ...bench.ports, shardsRoot: disk.root } }
      const { end } = await walkToEnd(full, bench.lease(chatty))
      expect(end).toMatchObject({ step: "abandoned", from: "leased", code: "disk-full" })
      expect(await readdir(disk.root)).toEqual([])
    } finally {
      await disk.remove()
    }
  },
)

within("a shard that has ended waits for room for its log, and keeps all of it", async context => {
  const disk = await mountSmallDisk(context)
  try {
    const full = { ...bench, ports: { ...bench.ports, shardsRoot: disk.root, disks: watchedDisks } }
    const walking = walkToEnd(full, bench.lease(chatty))
    const { engine, home } = bench.ports
    const signal = AbortSignal.timeout(60_000)
    const status = async () => {
      const [id] = await engine.find({ home }, signal)
      return id && (await engine.state(id, signal))?.status
    }
    await expect.poll(status, { timeout: 30_000 }).toBe("exited")
    // Long enough for a log to be cut off, where nobody waits for room.
    await sleep(1000)
    await disk.grow()
    const { end, ran } = await walking
    expect(end).toMatchObject({ step: "settled" })
    expect(await bench.ports.store.size(ran.log)).toBe(LOG_BYTES)
  } finally {
    await disk.remove()
  }
})
