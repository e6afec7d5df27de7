import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { readAsset, SCRIPT } from "../../../src/marketplace/explorer/assets.ts"
import type { SignedLedger } from "../../../src/marketplace/explorer/browser/check.ts"
import * as inBrowser from "../../../src/marketplace/explorer/browser/hash.ts"
import { openCheckpoint, parseVkey } from "../../../src/marketplace/explorer/browser/note.ts"
import { type Memory, visit } from "../../../src/marketplace/explorer/browser/visit.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import * as opened from "../../../src/protocol/tlog/checkpoint.ts"
import * as inNode from "../../../src/protocol/tlog/hash.ts"
import { vkeyOf } from "../../../src/protocol/tlog/note.ts"
import { newIdentity } from "../../contract/client.ts"
import { Published } from "../../ledger/publishing.ts"

const NEW: Memory = { trusted: null, seen: null }
const bytes = fc.uint8Array({ maxLength: 300 })

test("the browser's SHA-256 is node's, and so are the hashes of leaves and nodes", () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const hex = (hash: Uint8Array) => Buffer.from(hash).toString("hex")
      expect(hex(inBrowser.sha256(a))).toBe(createHash("sha256").update(a).digest("hex"))
      expect(hex(inBrowser.leafHash(a))).toBe(hex(inNode.leafHash(a)))
      expect(hex(inBrowser.nodeHash(a, b))).toBe(hex(inNode.nodeHash(a, b)))
      expect(inBrowser.areEqual(a, b)).toBe(inNode.areEqual(a, b))
    }),
  )
  expect(inBrowser.EMPTY_ROOT).toEqual(new Uint8Array(inNode.EMPTY_ROOT))
  expect(Object.keys(inBrowser).sort()).toEqual(Object.keys(inNode).sort())
})

test("every module that the browser loads is there, and none needs Node.js", async () => {
  const known = new Set<string>()
  const wanted = [SCRIPT]
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (known.has(path)) continue
    known.add(path)
    const asset = await readAsset(path.slice("/explorer/".length))
    const imports = [...(asset?.body ?? "").matchAll(/^(?:import|export)\b[^"']*?from "([^"]+)"/gm)]
    expect(asset?.type, path).toContain("javascript")
    for (const [, name = ""] of imports) {
      expect(name, `${path} imports ${name}`).toMatch(/^\./)
      wanted.push(new URL(name, `http://market${path}`).pathname)
    }
  }
  expect([...known].some(path => path.includes("/tlog/hash."))).toBe(true)
})

test.each(["../../../package.json", "market.ts", "marketplace/market.ts", "constructor", ""])(
  "%j is nothing that a browser may load",
  async path => {
    expect(await readAsset(path)).toBeNull()
  },
)

test("checkpoints are opened as the agents open them: what one takes the other takes, whatever is changed", async () => {
  await using published = new Published()
  const note = await published.grow(5)
  const log = ledgerKey(published.market.publicKey)
  const vkey = vkeyOf(log)
  const { size, root } = await openCheckpoint(note, vkey)
  expect({ size, root: Buffer.from(root) }).toEqual({ size: 5, root: opened.openCheckpoint(note, log).root })
  const places = fc.nat({ max: note.length - 1 })
  await fc.assert(
    fc.asyncProperty(places, fc.constantFrom("A", "0", "\n", " ", "+", "="), async (at, sign) => {
      const changed = note.slice(0, at) + sign + note.slice(at + 1)
      const taken = await openCheckpoint(changed, vkey).then(
        () => true,
        () => false,
      )
      let isTaken = true
      try {
        opened.openCheckpoint(changed, log)
      } catch {
        isTaken = false
      }
      // The browser is the stricter one about what stands around a signature.
      expect(taken && !isTaken).toBe(false)
      if (changed === note) expect(taken).toBe(true)
    }),
  )
  const other = vkeyOf(ledgerKey(newIdentity().publicKey))
  await expect(openCheckpoint(note, other)).rejects.toMatchObject({ kind: "unsigned" })
  expect(parseVkey(vkey.replace(/\+[0-9a-f]{8}\+/, "+00000000+"))).toBeNull()
  expect(parseVkey("a+b")).toBeNull()
})

test("every entry of a ledger over several tiles is followed to its root, and a changed one is not", {
  timeout: 60_000,
}, async () => {
  await using published = new Published()
  await published.grow(600)
  const ledger = await open(published)
  for (const index of [0, 1, 255, 256, 257, 511, 512, 598, 599])
    expect(await ledger.entry(index)).toBe(published.ledger.log.entry(index).toString("utf8"))
  await expect(ledger.entry(600)).rejects.toMatchObject({ kind: "absent" })
  for (const [spoilt, index] of [
    ["tile/entries/001", 300],
    ["tile/0/001", 300],
    ["tile/0/000", 3],
    ["tile/1/000.p/2", 300],
    ["tile/0/002.p/88", 598],
  ] as const) {
    const lying = await open(published, (path, file) => (path === spoilt ? flipped(file) : file))
    await expect(lying.entry(index), spoilt).rejects.toMatchObject({ kind: "spoilt" })
    const short = await open(published, (path, file) => (path === spoilt ? file.subarray(0, 20) : file))
    await expect(short.entry(index), spoilt).rejects.toMatchObject({ kind: "spoilt" })
  }
})

test("a ledger that grew is the same one; one that was rewritten or shrank is forked, and what was seen stays", async () => {
  const market = newIdentity()
  await using published = new Published(market)
  const shown = vkeyOf(ledgerKey(market.publicKey))
  let memory = NEW
  const since: (number | null)[] = []
  for (const more of [0, 1, 2, 6, 260]) {
    await published.grow(more)
    const seen = await visit(shown, memory, fileOf(published))
    since.push(seen.since)
    memory = seen.memory
  }
  expect(since).toEqual([null, 0, 1, 3, 9])
  for (const [entries, credits] of [
    [300, 2],
    [269, 2],
    [5, 1],
  ] as const) {
    await using other = new Published(market)
    await other.grow(entries, credits)
    await expect(visit(shown, memory, fileOf(other))).rejects.toMatchObject({ kind: "forked" })
  }
})

test("a key that is trusted, or was seen before, is not exchanged by what a page names", async () => {
  await using published = new Published()
  await published.grow(3)
  const shown = vkeyOf(ledgerKey(published.market.publicKey))
  const other = vkeyOf(ledgerKey(newIdentity().publicKey))
  const { memory } = await visit(shown, NEW, fileOf(published))
  expect((await visit(shown, { ...NEW, trusted: shown }, fileOf(published))).since).toBeNull()
  for (const [page, kept] of [
    [shown, { ...memory, trusted: other }],
    [other, memory],
    [other, NEW],
    [other, { ...NEW, trusted: other }],
  ] as const)
    await expect(visit(page, kept, fileOf(published))).rejects.toMatchObject({ kind: "unsigned" })
})

type Change = (path: string, file: Uint8Array) => Uint8Array

function fileOf({ folder }: Published, change: Change = (_, file) => file) {
  return async (path: string) => {
    const file = await readFile(join(folder, path)).catch(() => null)
    return file && change(path, file)
  }
}

async function open(published: Published, change?: Change): Promise<SignedLedger> {
  return (await visit(vkeyOf(ledgerKey(published.market.publicKey)), NEW, fileOf(published, change))).ledger
}

/** A bit of every byte, but not of the lengths in a bundle. */
function flipped(file: Uint8Array): Uint8Array {
  return Uint8Array.from(file, (byte, at) => (at % 32 === 5 ? byte ^ 1 : byte))
}
