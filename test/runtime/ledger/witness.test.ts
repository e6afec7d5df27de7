import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterEach, beforeEach, expect, test } from "vitest"
import { parseWitness } from "../../../src/marketplace/ledger/cosign.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import { openCheckpoint } from "../../../src/protocol/tlog/checkpoint.ts"
import { parseVkey } from "../../../src/protocol/tlog/note.ts"
import { consistencyRanges, hashOf } from "../../../src/protocol/tlog/tree.ts"
import { type ServedWitness, serveWitness } from "../../../src/runtime/ledger/serve-witness.ts"
import { newIdentity } from "../../contract/client.ts"
import { Published } from "../../ledger/publishing.ts"

const market = newIdentity()
const signer = newIdentity()
const log = ledgerKey(market.publicKey)
let folder: string
let witness: ServedWitness

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "zg-witness-"))
  witness = await open()
})
afterEach(async () => {
  await witness.close()
  rmSync(folder, { recursive: true })
})

function open(): Promise<ServedWitness> {
  const logger = pino({ level: "silent" })
  const clock = () => 1_700_000_000_000
  return serveWitness({ host: "127.0.0.1", port: 0, signer, logs: [log], folder, clock, logger })
}

async function ask(body: string): Promise<{ status: number; text: string; type: string | null }> {
  const answer = await fetch(`${witness.url}/add-checkpoint`, { method: "POST", body })
  return { status: answer.status, text: await answer.text(), type: answer.headers.get("content-type") }
}

/** A request with the proof that the ledger itself makes. */
async function growth(published: Published, old: number): Promise<string> {
  const checkpoint = await published.publish()
  const tree = published.ledger.log
  const hashes = consistencyRanges(Math.min(old, tree.size), tree.size).map(range =>
    hashOf(range, node => tree.node(node)),
  )
  return `old ${old}\n${hashes.map(hash => `${Buffer.from(hash).toString("base64")}\n`).join("")}\n${checkpoint}`
}

const asked = () => parseWitness(`${witness.vkey}@${witness.url}`)

test("a marketplace's checkpoints are cosigned as its ledger grows, also over a restart of the witness", async () => {
  await using published = new Published(market, [asked()])
  for (const more of [1, 6, 300]) {
    const { cosignatures } = openCheckpoint(await published.grow(more), log, [parseVkey(witness.vkey)])
    expect(cosignatures).toMatchObject([{ kind: "witness", seenAt: 1_700_000_000 }])
    const port = Number(new URL(witness.url).port)
    await witness.close()
    witness = await serveWitness({
      ...{ host: "127.0.0.1", port, signer, logs: [log], folder },
      ...{ clock: () => 1_700_000_000_000, logger: pino({ level: "silent" }) },
    })
  }
})

test("a fork is refused: of two stories of one ledger the witness signs one alone", async () => {
  await using told = new Published(market)
  await using other = new Published(market)
  await told.grow(5)
  expect((await ask(await growth(told, 0))).status).toBe(200)
  // As many entries, but others.
  await other.grow(5, 2)
  expect((await ask(await growth(other, 0))).status).toBe(409)
  expect(await ask(await growth(other, 5))).toMatchObject({
    status: 409,
    text: expect.stringContaining("Another tree"),
  })
  // More entries, that do not go on from the five.
  await other.grow(4, 2)
  expect((await ask(await growth(other, 5))).status).toBe(422)
  await told.grow(1)
  expect((await ask(await growth(told, 5))).status).toBe(200)
})

test("an older size is told the newest one, a ledger that shrank is refused", async () => {
  await using published = new Published(market)
  await published.grow(7)
  expect((await ask(await growth(published, 0))).status).toBe(200)
  const again = await ask(await growth(published, 3))
  expect(again).toEqual({ status: 409, text: "7\n", type: "text/x.tlog.size" })
  expect((await ask(await growth(published, 8))).status).toBe(400)
  await using shrunk = new Published(market)
  await shrunk.grow(4)
  expect((await ask(await growth(shrunk, 7))).status).toBe(400)
  expect((await ask(await growth(shrunk, 4))).status).toBe(409)
})

test.each([
  ["no request at all", "hello", 400],
  ["a size that is spelled otherwise", "old 00\n\nx\n", 400],
  ["no checkpoint", "old 0\n\nnothing\n\n— x AAAAAAA=\n", 400],
])("%s is refused", async (_, body, status) => {
  expect((await ask(body)).status).toBe(status)
})

test("a ledger that it does not watch, and a signature that is not the ledger's, are refused", async () => {
  await using stranger = new Published()
  await stranger.grow(1)
  expect((await ask(await growth(stranger, 0))).status).toBe(404)
  const mine = ledgerKey(market.publicKey).name
  const claimed = (await growth(stranger, 0)).replaceAll(ledgerKey(stranger.market.publicKey).name, mine)
  expect((await ask(claimed)).status).toBe(403)
})

test("requests that come at once are answered one after the other: none is signed twice over", async () => {
  await using published = new Published(market)
  const requests: string[] = []
  for (let size = 1; size <= 8; size++) {
    await published.grow(1)
    requests.push(await growth(published, 0))
  }
  const answers = await Promise.all(requests.map(ask))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(7)
})

test("a witness that is away holds up no checkpoint", async () => {
  const away = asked()
  await witness.close()
  await using published = new Published(market, [away])
  const checkpoint = openCheckpoint(await published.grow(2), log, [away.key])
  expect(checkpoint).toMatchObject({ size: 2, cosignatures: [] })
  witness = await open()
})

test("anything but add-checkpoint is not there, and too much is turned away", async () => {
  expect((await fetch(witness.url)).status).toBe(404)
  expect((await ask("x".repeat(70_000))).status).toBe(413)
})
