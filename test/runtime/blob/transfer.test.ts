import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { type Blob, digestOf } from "../../../src/protocol/digest.ts"
import { BlobTransfer } from "../../../src/runtime/blob/transfer.ts"
import { BlobStore } from "../../../src/store/blob-store.ts"
import { type Mishap, type RegistryOptions, StandInRegistry } from "../../stand-in/registry.ts"

const BYTES = randomBytes(300_000)
const BLOB: Blob = { digest: digestOf(BYTES), size: BYTES.length }

let root: string
let store: BlobStore
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-transfer-test-"))
  store = new BlobStore(join(root, "blobs"))
})
afterEach(() => rm(root, { recursive: true }))

const signal = () => AbortSignal.timeout(20_000)
const transferTo = (registry: StandInRegistry, retries = 3) =>
  new BlobTransfer({ registry: { url: registry.url, token: () => "t" }, store, retries, pauseMs: 1 })

/** Mishaps for the first requests of a method, in order. */
function mishaps(method: string, ...list: (Mishap | null)[]): Pick<RegistryOptions, "mishap"> {
  return { mishap: request => (request.method === method ? (list.shift() ?? null) : null) }
}

async function stored(): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of store.read(BLOB.digest)) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function addToStore(): Promise<void> {
  async function* source() {
    yield BYTES
  }
  await store.add(source(), BYTES.length)
}

test("a download goes on after each break from where it ended", async () => {
  await using registry = await StandInRegistry.start({
    token: "t",
    ...mishaps("GET", { cutAfter: 100_000 }, { status: 503 }, { cutAfter: 50_000 }),
  })
  registry.put(BYTES)
  await transferTo(registry).download(BLOB, signal())
  expect(await stored()).toEqual(BYTES)
  const starts = registry.requests.map(({ range }) => Number(/\d+/.exec(range ?? "")?.[0] ?? 0))
  expect(starts[0]).toBe(0)
  expect(starts[1]).toBeGreaterThan(0)
  expect(starts.slice(1)).toEqual([...starts.slice(1)].sort((a, b) => a - b))
})

test("breaks that bring bytes do not use up the tries, breaks that bring none do", async () => {
  const brief = Array.from({ length: 12 }, () => ({ cutAfter: 20_000 }))
  await using patient = await StandInRegistry.start(mishaps("GET", ...brief))
  patient.put(BYTES)
  await transferTo(patient, 2).download(BLOB, signal())
  expect(await stored()).toEqual(BYTES)

  await rm(root, { recursive: true })
  const nothing = Array.from({ length: 12 }, () => ({ cutAfter: 0 }))
  await using dead = await StandInRegistry.start(mishaps("GET", ...nothing))
  dead.put(BYTES)
  const failed = expect.objectContaining({ code: "blob-transfer-failed" })
  await expect(transferTo(dead, 2).download(BLOB, signal())).rejects.toEqual(failed)
  expect(dead.requests).toHaveLength(3)
})

test("a server without ranges is served from the start again", async () => {
  await using registry = await StandInRegistry.start({
    ranges: false,
    ...mishaps("GET", { cutAfter: 100_000 }),
  })
  registry.put(BYTES)
  await transferTo(registry).download(BLOB, signal())
  expect(await stored()).toEqual(BYTES)
})

test("lies are found out, and asked about once more", async () => {
  const lie = { lie: randomBytes(BYTES.length) }
  await using once = await StandInRegistry.start(mishaps("GET", lie))
  once.put(BYTES)
  await transferTo(once).download(BLOB, signal())
  expect(await stored()).toEqual(BYTES)

  await rm(root, { recursive: true })
  await using liar = await StandInRegistry.start(mishaps("GET", lie, lie, lie))
  await expect(transferTo(liar).download(BLOB, signal())).rejects.toMatchObject({ code: "blob-corrupt" })
  expect(liar.requests).toHaveLength(2)
  expect(await store.size(BLOB.digest)).toBeNull()
})

test("more bytes than were announced are not taken", async () => {
  const lie = { lie: Buffer.concat([BYTES, BYTES]) }
  await using registry = await StandInRegistry.start(mishaps("GET", lie, lie))
  await expect(transferTo(registry).download(BLOB, signal())).rejects.toMatchObject({ code: "blob-corrupt" })
})

test.for([
  [404, "blob-missing"],
  [403, "blob-transfer-failed"],
] as const)("%i is final: %s", async ([status, code], { expect }) => {
  await using registry = await StandInRegistry.start(mishaps("GET", { status }))
  await expect(transferTo(registry).download(BLOB, signal())).rejects.toMatchObject({
    code,
    facts: { status },
  })
  expect(registry.requests).toHaveLength(1)
})

test("two downloads of one blob at once are one transfer", async () => {
  await using registry = await StandInRegistry.start()
  registry.put(BYTES)
  const transfer = transferTo(registry)
  await Promise.all(Array.from({ length: 5 }, () => transfer.download(BLOB, signal())))
  expect(registry.requests).toHaveLength(1)
  await transfer.download(BLOB, signal())
  expect(registry.requests).toHaveLength(1)
})

test("a download that its first caller gives up is finished by the second", async () => {
  const stop = new AbortController()
  const gaveUp = new Error("gave up")
  await using registry = await StandInRegistry.start({
    mishap: ({ count }) => {
      if (count === 1) stop.abort(gaveUp)
      return null
    },
  })
  registry.put(BYTES)
  const transfer = transferTo(registry)
  const first = transfer.download(BLOB, stop.signal)
  const second = transfer.download(BLOB, signal())
  await expect(first).rejects.toBe(gaveUp)
  await second
  expect(await stored()).toEqual(BYTES)
})

test("an upload goes on after a break from where the registry says", async () => {
  await addToStore()
  await using registry = await StandInRegistry.start({
    token: "t",
    ...mishaps("PATCH", { cutAfter: 100_000 }, { status: 502 }),
  })
  await transferTo(registry).upload(BLOB, signal())
  expect(registry.blobs.get(BLOB.digest)).toEqual(BYTES)
  const methods = registry.requests.map(({ method }) => method)
  expect(methods).toEqual(["HEAD", "POST", "PATCH", "GET", "PATCH", "GET", "PATCH", "PUT"])
})

test("a blob that the registry has is not sent", async () => {
  await addToStore()
  await using registry = await StandInRegistry.start()
  registry.put(BYTES)
  await transferTo(registry).upload(BLOB, signal())
  expect(registry.requests.map(({ method }) => method)).toEqual(["HEAD"])
})

test("a PUT whose answer was lost is settled by asking anew", async () => {
  await addToStore()
  await using registry = await StandInRegistry.start(mishaps("PUT", { status: 504 }))
  await transferTo(registry).upload(BLOB, signal())
  expect(registry.blobs.get(BLOB.digest)).toEqual(BYTES)
})

test("a registry that got other bytes says so", async () => {
  await addToStore()
  await using confused = await StandInRegistry.start(
    mishaps(
      "PUT",
      { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID"}]}' },
      { status: 400, body: "DIGEST_INVALID" },
    ),
  )
  await expect(transferTo(confused).upload(BLOB, signal())).rejects.toMatchObject({ code: "blob-corrupt" })
})

test("an empty blob goes both ways", async () => {
  const empty: Blob = { digest: digestOf(""), size: 0 }
  await using registry = await StandInRegistry.start()
  registry.put(Buffer.alloc(0))
  await transferTo(registry).download(empty, signal())
  expect(await store.size(empty.digest)).toBe(0)
  await using other = await StandInRegistry.start()
  await transferTo(other).upload(empty, signal())
  expect(other.blobs.has(empty.digest)).toBe(true)
})

test("a blob of one byte goes, though a registry's `0-0` may mean one byte or none", async () => {
  async function* source() {
    yield Buffer.from("x")
  }
  const one = await store.add(source(), 1)
  await using calm = await StandInRegistry.start()
  await transferTo(calm).upload(one, signal())
  expect(calm.blobs.has(one.digest)).toBe(true)
  await using broken = await StandInRegistry.start(mishaps("PATCH", { cutAfter: 1 }))
  await transferTo(broken).upload(one, signal())
  expect(broken.blobs.has(one.digest)).toBe(true)
})

test("an aborted transfer ends with the signal's reason, and what came stays", async () => {
  const reason = new Error("shutdown")
  const stop = new AbortController()
  await using registry = await StandInRegistry.start(mishaps("GET", { cutAfter: 100_000 }, { status: 503 }))
  registry.put(BYTES)
  const transfer = new BlobTransfer({
    registry: { url: registry.url, token: () => "t" },
    store,
    pauseMs: 60_000,
  })
  setTimeout(() => stop.abort(reason), 300)
  await expect(transfer.download(BLOB, stop.signal)).rejects.toBe(reason)
  expect(await store.received(BLOB.digest.slice("sha256:".length))).toBe(100_000)
})

test("a disk that is full at the other end is waited for, and named when it stays full", async () => {
  const full = { status: 507 }
  await using passing = await StandInRegistry.start({ token: "t", ...mishaps("PATCH", full, full) })
  await addToStore()
  await transferTo(passing).upload(BLOB, signal())
  expect(passing.blobs.get(BLOB.digest)).toEqual(BYTES)
  await using staying = await StandInRegistry.start(mishaps("GET", full, full, full, full))
  const other = new BlobStore(join(root, "other"))
  const registry = { url: staying.url, token: () => "t" }
  const downloading = new BlobTransfer({ registry, store: other, retries: 3, pauseMs: 1 }).download(
    BLOB,
    signal(),
  )
  await expect(downloading).rejects.toMatchObject({ code: "blob-transfer-failed", facts: { status: 507 } })
})

test("a token that is over is asked for anew, and the upload goes on where it was", async () => {
  await using registry = await StandInRegistry.start({
    token: "second",
    ...mishaps("PATCH", null, { status: 401 }),
  })
  await addToStore()
  const tokens = ["first", "first", "second"]
  const token = () => (tokens.length > 1 ? tokens.shift() : tokens[0]) ?? ""
  const transfer = new BlobTransfer({ registry: { url: registry.url, token }, store, retries: 3, pauseMs: 1 })
  await transfer.upload(BLOB, signal())
  expect(registry.blobs.get(BLOB.digest)).toEqual(BYTES)
})

test("while the marketplace is away no try is made and none is used up", async () => {
  await using registry = await StandInRegistry.start({ token: "t" })
  registry.put(BYTES)
  const back = Promise.withResolvers<void>()
  const transfer = new BlobTransfer({
    ...{ registry: { url: registry.url, token: () => "t" }, store, retries: 0, pauseMs: 1 },
    online: () => back.promise,
  })
  const downloading = transfer.download(BLOB, signal())
  await new Promise(resolve => setImmediate(resolve))
  expect(registry.requests).toEqual([])
  back.resolve()
  await downloading
  expect(await stored()).toEqual(BYTES)
})
