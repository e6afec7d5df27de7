import { mkdtempSync } from "node:fs"
import { readdir, readFile, stat, utimes } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { type Digest, digestOf } from "../../src/protocol/digest.ts"
import { BlobStore } from "../../src/store/blob-store.ts"

const newRoot = () => mkdtempSync(join(tmpdir(), "zg-blobs-"))

async function* pieces(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

async function* breaking(text: string) {
  yield Buffer.from(text)
  throw new Error("connection reset")
}

test("a blob that arrives in two halves, with a restart between, is whole", async () => {
  const root = newRoot()
  await expect(new BlobStore(root).append("a", breaking("half "), 100)).rejects.toThrow("reset")
  const store = new BlobStore(root)
  expect(await store.received("a")).toBe(5)
  await store.append("a", pieces("and ", "half"), 100)
  const blob = await store.seal("a", digestOf("half and half"))
  expect(blob).toEqual({ digest: digestOf("half and half"), size: 13 })
  expect(await readFile(store.path(blob.digest), "utf8")).toBe("half and half")
  expect((await stat(store.path(blob.digest))).mode & 0o777).toBe(0o444)
  expect(await readdir(join(root, "partial"))).toEqual([])
})

test("wrong bytes never appear under a digest, and are not kept", async () => {
  const store = new BlobStore(newRoot())
  await store.append("a", pieces("wrong"), 100)
  await expect(store.seal("a", digestOf("right"))).rejects.toMatchObject({ code: "blob-corrupt" })
  expect(await store.size(digestOf("right"))).toBeNull()
  expect(await store.received("a")).toBe(0)
})

test("a blob that outgrows its limit is thrown away", async () => {
  const store = new BlobStore(newRoot())
  await expect(store.add(pieces("123456", "789"), 8)).rejects.toMatchObject({ code: "blob-corrupt" })
  expect(await readdir(join(store.root, "partial"))).toEqual([])
})

test("what nobody has used for long goes, with downloads that have stopped; what is needed or new stays", async () => {
  const store = new BlobStore(newRoot())
  const old = new Date(Date.now() - 10_000)
  const [stale, needed, touched, fresh] = await Promise.all(
    ["stale", "needed", "touched", "fresh"].map(text => store.add(pieces(text), 100)),
  )
  for (const blob of [stale, needed, touched]) await utimes(store.path(blob?.digest as Digest), old, old)
  await store.touch(touched?.digest as Digest)
  await store.append("stopped", pieces("half"), 100)
  await utimes(join(store.root, "partial", "stopped"), old, old)
  await store.append("going-on", pieces("more"), 100)
  const collection = { needed: new Set([needed?.digest as Digest]), unusedMs: 5000, partialMs: 5000 }
  expect(await store.collect(collection)).toBe("stale".length + "half".length)
  const sizes = [stale, needed, touched, fresh].map(blob => store.size(blob?.digest as Digest))
  expect(await Promise.all(sizes)).toEqual([null, 6, 7, 5])
  expect([await store.received("stopped"), await store.received("going-on")]).toEqual([0, 4])
  expect(await new BlobStore(newRoot()).collect(collection)).toBe(0)
})

test("what is dismissed goes at the next collection, unless it is needed or has come again", async () => {
  const store = new BlobStore(newRoot())
  const [needed, again, over] = await Promise.all(
    ["needed", "again", "over"].map(text => store.add(pieces(text), 100)),
  )
  for (const blob of [needed, again, over]) await store.dismiss(blob?.digest as Digest)
  await store.dismiss(digestOf("never here"))
  await store.add(pieces("again"), 100)
  const [week, wanted] = [7 * 86_400_000, new Set([needed?.digest as Digest])]
  expect(await store.collect({ needed: wanted, unusedMs: week, partialMs: week })).toBe("over".length)
})
