import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, test } from "vitest"
import { startMarket } from "../../src/marketplace/market.ts"
import { enrol } from "../contract/client.ts"
import { mountSmallDisk } from "../stand-in/small-disk.ts"

test("a full disk is answered by 507, and the upload goes on once there is room", async context => {
  const root = await mkdtemp(join(tmpdir(), "zg-full-"))
  const blobs = join(root, "blobs")
  await mkdir(blobs)
  const disk = await mountSmallDisk(context, blobs)
  const market = await startMarket({ root, host: "127.0.0.1", port: 0, log: pino({ level: "silent" }) })
  const client = await enrol(market.url)
  try {
    const start = await client.fetch("/v2/contract/blobs/uploads/", { method: "POST" })
    const location = start.headers.get("location") ?? ""
    const bytes = Buffer.alloc(3 << 20, 7)
    const full = await client.fetch(location, { method: "PATCH", body: bytes })
    expect(full.status).toBe(507)
    expect(await full.json()).toMatchObject({ errors: [{ code: "STORAGE_FULL" }] })
    await disk.grow()
    const status = await client.fetch(location)
    const offset = Number(status.headers.get("range")?.split("-")[1]) + 1
    expect(offset).toBeGreaterThan(0)
    const range = { "Content-Range": `${offset}-${bytes.length - 1}` }
    const rest = await client.fetch(location, {
      method: "PATCH",
      body: bytes.subarray(offset),
      headers: range,
    })
    expect([rest.status, rest.headers.get("range")]).toEqual([202, `0-${bytes.length - 1}`])
  } finally {
    await client.close()
    await market.close()
    await disk.remove()
    await rm(root, { recursive: true })
  }
})
