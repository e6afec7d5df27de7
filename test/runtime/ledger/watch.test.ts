import { mkdtempSync, rmSync } from "node:fs"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterEach, beforeEach, expect, test } from "vitest"
import { serveLedger } from "../../../src/marketplace/ledger/serve.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import { listen } from "../../../src/runtime/host/listen.ts"
import { ledgerFiles } from "../../../src/runtime/ledger/files.ts"
import { LedgerWatch } from "../../../src/runtime/ledger/watch.ts"
import { newIdentity } from "../../contract/client.ts"
import { Published } from "../../ledger/publishing.ts"

const market = newIdentity()
const log = ledgerKey(market.publicKey)
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zg-watch-"))
})
afterEach(() => rmSync(folder, { recursive: true }))

function watchOf(where: string): LedgerWatch {
  return new LedgerWatch({
    ...{ files: ledgerFiles(where), log, folder, logger: pino({ level: "silent" }), lookEveryMs: 20 },
    retryMs: 20,
  })
}

/** Lets it watch until what is awaited is so, or it throws. */
async function untilSeen(watch: LedgerWatch, isSo: () => Promise<boolean>): Promise<void> {
  const over = new AbortController()
  const watching = watch.keep(over.signal)
  const seen = (async () => {
    while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 10))
  })()
  await Promise.race([watching, seen]).finally(() => over.abort())
  await watching
}

const remembered = () => readFile(join(folder, "checkpoint"), "utf8").catch(() => "")

test("a ledger that grows is followed, over HTTP and over restarts", async () => {
  await using published = new Published(market)
  const http = createServer((request, response) => void serveLedger(published.folder, request, response))
  const url = await listen(http, "127.0.0.1", 0)
  for (const more of [1, 255, 1, 300]) {
    const checkpoint = await published.grow(more)
    await untilSeen(watchOf(`${url}/ledger`), async () => (await remembered()) === checkpoint)
  }
  http.close()
})

test("an older checkpoint that comes late is checked too, and not taken for the newest", async () => {
  await using published = new Published(market)
  const older = await published.grow(3)
  const newest = await published.grow(3)
  const watch = watchOf(published.folder)
  await untilSeen(watch, async () => (await remembered()) === newest)
  watch.saw(older)
  await untilSeen(watch, async () => (await remembered()) === newest)
})

test.each([
  ["as many entries", 6],
  ["fewer entries", 4],
  ["more entries", 9],
])("a fork with %s that comes with a receipt ends it, and both checkpoints are kept", async (_, entries) => {
  await using shown = new Published(market)
  await using forked = new Published(market)
  const checkpoint = await shown.grow(6)
  await untilSeen(watchOf(shown.folder), async () => (await remembered()) === checkpoint)
  const other = await forked.grow(entries, 2)
  const watch = watchOf(entries > 6 ? forked.folder : shown.folder)
  watch.saw(other)
  await expect(untilSeen(watch, async () => false)).rejects.toMatchObject({ code: "ledger-forked" })
  const [evidence = ""] = (await readdir(folder)).filter(name => name.startsWith("forked-"))
  const kept = await readFile(join(folder, evidence), "utf8")
  expect(kept).toContain(checkpoint)
  expect(kept).toContain(other)
})

test("a ledger that was rewritten in the place where everybody looks is a fork", async () => {
  await using published = new Published(market)
  const checkpoint = await published.grow(6)
  await untilSeen(watchOf(published.folder), async () => (await remembered()) === checkpoint)
  await using rewritten = new Published(market)
  await rewritten.grow(20, 3)
  await expect(untilSeen(watchOf(rewritten.folder), async () => false)).rejects.toMatchObject({
    code: "ledger-forked",
  })
})

test("a ledger that was begun anew is a fork, though it is smaller than the one before", async () => {
  await using published = new Published(market)
  const checkpoint = await published.grow(9)
  await untilSeen(watchOf(published.folder), async () => (await remembered()) === checkpoint)
  await using anew = new Published(market)
  const other = await anew.grow(2, 3)
  await expect(untilSeen(watchOf(anew.folder), async () => false)).rejects.toMatchObject({
    code: "ledger-forked",
  })
  const [evidence = ""] = (await readdir(folder)).filter(name => name.startsWith("forked-"))
  expect(await readFile(join(folder, evidence), "utf8")).toContain(other)
})

test("a cache that shows an older checkpoint for a while is no fork", async () => {
  await using published = new Published(market)
  const older = await published.grow(3)
  const newest = await published.grow(300)
  await untilSeen(watchOf(published.folder), async () => (await remembered()) === newest)
  await writeFile(join(published.folder, "checkpoint"), older)
  const over = AbortSignal.timeout(400)
  await watchOf(published.folder).keep(over)
  expect(await remembered()).toBe(newest)
})

test("a ledger that cannot be read is no fork: it is looked at again", async () => {
  await using published = new Published(market)
  const checkpoint = await published.grow(6)
  const watch = watchOf(published.folder)
  watch.saw(checkpoint)
  await untilSeen(watch, async () => (await remembered()) === checkpoint)
  const nowhere = watchOf("http://127.0.0.1:9/ledger")
  const over = AbortSignal.timeout(300)
  await nowhere.keep(over)
  expect(await remembered()).toBe(checkpoint)
})
