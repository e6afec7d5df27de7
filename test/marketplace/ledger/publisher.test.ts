import { readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { Publisher } from "../../../src/marketplace/ledger/publisher.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import { openCheckpoint } from "../../../src/protocol/tlog/checkpoint.ts"
import { tilePath, tilesOf } from "../../../src/protocol/tlog/tile.ts"
import { Published } from "../../ledger/publishing.ts"
import { openLedger } from "../../ledger/recorded.ts"

test("an empty ledger has a checkpoint, and every later one has its files", async () => {
  await using published = new Published()
  const log = ledgerKey(published.market.publicKey)
  let size = 0
  for (const more of [0, 1, 254, 1, 1, 600]) {
    size += more
    expect(openCheckpoint(await published.grow(more), log).size).toBe(size)
    for (const tile of tilesOf(size))
      expect((await stat(join(published.folder, tilePath(tile)))).isFile()).toBe(true)
  }
  // Narrow forms of full tiles are gone.
  expect(await readdir(join(published.folder, "tile/0"))).not.toContain("000.p")
})

test("those who ask at once share one checkpoint, which covers what they ask for", async () => {
  await using published = new Published()
  await published.grow(3)
  const publisher = await Publisher.open(published.parts)
  for (let at = 0; at < 10; at++) published.ledger.log.append(Buffer.from(`${at}`))
  const seen = await Promise.all([4, 9, 13].map(size => publisher.covering(size)))
  expect(new Set(seen.map(({ checkpoint }) => checkpoint)).size).toBe(1)
  expect(seen[0]?.size).toBe(13)
})

test("what a power cut left of a file is written again at the next start", async () => {
  await using published = new Published()
  await published.grow(3)
  const path = join(published.folder, "tile/0/000.p/3")
  const whole = await readFile(path)
  await writeFile(path, "")
  await Publisher.open(published.parts)
  expect(await readFile(path)).toEqual(whole)
})

test("a database that holds less than was published, or something else, is not gone on with", async () => {
  await using published = new Published()
  await published.grow(9)
  const backup = openLedger().log
  for (let at = 0; at < 4; at++) backup.append(published.ledger.log.entry(at))
  await expect(Publisher.open({ ...published.parts, log: backup })).rejects.toMatchObject({
    code: "ledger-forked",
    facts: expect.objectContaining({ published: 9, held: 4 }),
  })
  for (let at = 4; at < 12; at++) backup.append(Buffer.from(`another ${at}`))
  await expect(Publisher.open({ ...published.parts, log: backup })).rejects.toMatchObject({
    code: "ledger-forked",
  })
})
