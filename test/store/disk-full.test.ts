import { expect, test } from "vitest"
import { digestOf } from "../../src/protocol/digest.ts"
import { BlobStore } from "../../src/store/blob-store.ts"
import { Database } from "../../src/store/database.ts"
import { mountSmallDisk } from "../stand-in/small-disk.ts"

async function* pieces(bytes: Buffer) {
  for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536)
}

test("a blob: what arrived is gone on with once there is room", async context => {
  const disk = await mountSmallDisk(context)
  try {
    const bytes = Buffer.alloc(3 << 20, 7)
    const store = new BlobStore(disk.root)
    const full = store.append("a", pieces(bytes), bytes.length)
    await expect(full).rejects.toMatchObject({ code: "disk-full", hint: expect.stringContaining("ZG_HOME") })
    const received = await store.received("a")
    expect(received).toBeGreaterThan(0)
    await disk.grow()
    await store.append("a", pieces(bytes.subarray(received)), bytes.length)
    expect(await store.seal("a", digestOf(bytes))).toEqual({ digest: digestOf(bytes), size: bytes.length })
  } finally {
    await disk.remove()
  }
})

test("a database: a write that did not fit is refused whole, and later ones go on", async context => {
  const disk = await mountSmallDisk(context)
  try {
    const database = new Database(`${disk.root}/a.sqlite`, ["CREATE TABLE row (text TEXT) STRICT"])
    const insert = (bytes: number) =>
      database.write(() => database.sql.prepare("INSERT INTO row VALUES (?)").run("x".repeat(bytes)))
    const count = () => (database.sql.prepare("SELECT count(*) AS n FROM row").get() as { n: number }).n
    await insert(1000)
    const outcomes = await Promise.allSettled([insert(1000), insert(3 << 20), insert(1000)])
    const refused = outcomes.filter(outcome => outcome.status === "rejected")
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: "disk-full" })
    expect(count()).toBe(1 + outcomes.length - refused.length)
    await disk.grow()
    await insert(3 << 20)
    expect(count()).toBe(2 + outcomes.length - refused.length)
    database.close()
  } finally {
    await disk.remove()
  }
})
