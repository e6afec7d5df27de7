import { createHash } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import { ANCHOR_BYTES, anchorData, openAnchor } from "../../src/protocol/anchor.ts"
import { ledgerKey } from "../../src/protocol/ledger-proof.ts"
import { checkpointText, openCheckpoint } from "../../src/protocol/tlog/checkpoint.ts"
import { formatNote, signNote } from "../../src/protocol/tlog/note.ts"
import { newIdentity } from "../contract/client.ts"

const signer = newIdentity()
const log = ledgerKey(signer.publicKey)
const { name: origin } = log

async function signed(size: number, root: Uint8Array, more = "") {
  const text = `${checkpointText({ origin, size, root })}${more}`
  const signature = await signNote(text, { kind: "log", name: origin, signer }, 0)
  return openCheckpoint(formatNote({ text, signatures: [signature] }), log)
}

test("an anchor is laid out as docs/protocol.md says", async () => {
  const root = Buffer.alloc(32, 0xab)
  const data = Buffer.from(anchorData(await signed(0x010203, root), log))
  expect(data.length).toBe(144)
  expect(data.toString("latin1", 0, 7)).toBe("zg-anch")
  expect(data[7]).toBe(1)
  expect(data.subarray(8, 40)).toEqual(createHash("sha256").update(origin).digest())
  expect(data.toString("hex", 40, 48)).toBe("0000000000010203")
  expect(data.subarray(48, 80)).toEqual(root)
  const text = `${origin}\n66051\n${root.toString("base64")}\n`
  expect(data.toString("base64", 80)).toBe(signer.signNow(Buffer.from(text)))
})

test("what was signed is read back, whatever the tree", async () => {
  const roots = fc.uint8Array({ minLength: 32, maxLength: 32 })
  await fc.assert(
    fc.asyncProperty(fc.maxSafeNat(), roots, async (size, bytes) => {
      const root = Buffer.from(bytes)
      const checkpoint = await signed(size, root)
      expect(openAnchor(anchorData(checkpoint, log), log)).toEqual(checkpoint)
    }),
    { numRuns: 50 },
  )
})

test("no byte of an anchor can be another one", async () => {
  const data = anchorData(await signed(70_000, Buffer.alloc(32, 1)), log)
  for (let at = 0; at < ANCHOR_BYTES; at++) {
    const changed = Buffer.from(data)
    changed[at] = (changed[at] ?? 0) ^ 1
    expect(() => openAnchor(changed, log)).toThrow(expect.objectContaining({ code: "anchor-mismatch" }))
  }
})

test("a checkpoint that says more than an anchor can hold is not cut short", async () => {
  const checkpoint = await signed(3, Buffer.alloc(32), "an extension\n")
  expect(() => anchorData(checkpoint, log)).toThrow(expect.objectContaining({ code: "ledger-malformed" }))
})
