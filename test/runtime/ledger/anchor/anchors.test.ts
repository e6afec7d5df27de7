import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { ledgerKey } from "../../../../src/protocol/ledger-proof.ts"
import { openCheckpoint } from "../../../../src/protocol/tlog/checkpoint.ts"
import { Anchors, type TransactionHash } from "../../../../src/runtime/ledger/anchor/anchors.ts"
import { Published } from "../../../ledger/publishing.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "zg-anchors-"))
})
afterEach(() => rm(folder, { recursive: true }))

const hash = (digit: number): TransactionHash => `0x${`${digit}`.repeat(64)}`

async function grown(published: Published, transaction: TransactionHash, sentAt: number) {
  const checkpoint = openCheckpoint(await published.grow(1), ledgerKey(published.market.publicKey))
  return { transaction, chain: 1, from: `0x${"a".repeat(40)}`, sentAt, checkpoint }
}

test("of each ledger the anchor with most entries is the last, whatever the clock said", async () => {
  await using mine = new Published()
  await using other = new Published()
  const [early, late] = [await grown(mine, hash(1), 2000), await grown(mine, hash(2), 1000)]
  const anchors = new Anchors(join(folder, "anchors"))
  expect(await anchors.last(ledgerKey(mine.market.publicKey))).toBeNull()
  for (const sent of [late, early, await grown(other, hash(3), 3000)]) await anchors.remember(sent)
  expect(await new Anchors(join(folder, "anchors")).last(ledgerKey(mine.market.publicKey))).toEqual(late)
  await anchors.forget(hash(2))
  expect(await anchors.last(ledgerKey(mine.market.publicKey))).toEqual(early)
})

test("what is remembered is the owner's alone, and a damaged file is named", async () => {
  await using published = new Published()
  const anchors = new Anchors(folder)
  await anchors.remember(await grown(published, hash(1), 1000))
  const [name = ""] = await readdir(folder)
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  await writeFile(join(folder, name), "{")
  await expect(anchors.last(ledgerKey(published.market.publicKey))).rejects.toMatchObject({
    code: "home-unusable",
    message: expect.stringContaining(name),
  })
})
