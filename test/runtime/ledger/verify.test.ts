import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, test } from "vitest"
import { grant, settlement, submission } from "../../../src/marketplace/ledger/posting.ts"
import type { Posting } from "../../../src/protocol/books.ts"
import { MicroCredits } from "../../../src/protocol/credits.ts"
import { digestOf } from "../../../src/protocol/digest.ts"
import { JobId } from "../../../src/protocol/job.ts"
import { entryBytes } from "../../../src/protocol/ledger-entry.ts"
import { ledgerKey } from "../../../src/protocol/ledger-proof.ts"
import type { Charge } from "../../../src/protocol/price.ts"
import { proofStatement } from "../../../src/protocol/proof.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import { checkLedger } from "../../../src/runtime/ledger/check-ledger.ts"
import { ledgerFiles } from "../../../src/runtime/ledger/files.ts"
import { newIdentity } from "../../contract/client.ts"
import { Published } from "../../ledger/publishing.ts"
import { ASSIGNMENT, RUN } from "../proof/sample.ts"

const agent = newIdentity()
const job = JobId.parse("job-0123456789ab")
const bundle = await signStatement(proofStatement(ASSIGNMENT, RUN), agent)
const proof = bundleDigest(bundle)
const micro = (amount: number) => MicroCredits.parse(amount)
const charged = (amount: number): Charge => ({ per: "shard", amount: micro(amount) })
const copies: string[] = []
afterEach(async () => {
  for (const path of copies.splice(0)) await rm(path, { recursive: true })
})

function check(folder: string, market: Published["market"]) {
  const log = ledgerKey(market.publicKey)
  const toCheck = { files: ledgerFiles(folder), log, witnesses: [], quorum: 0, receipts: null }
  return checkLedger(toCheck, { signal: AbortSignal.timeout(20_000) })
}

/** A ledger with a job that was paid. */
async function paid(published: Published): Promise<void> {
  const { ledger } = published
  ledger.append(grant(agent.keyId, micro(1000)))
  ledger.append(submission(agent.keyId, job, { granted: micro(600), earned: micro(0) }))
  ledger.appendSigned(bundle, proof, agent.publicKey)
  ledger.append(
    settlement({ job, agent: agent.keyId, lease: "l", proof }, charged(200), { feeBasisPoints: 1000 }),
  )
  await published.publish()
}

test("a whole ledger says what it holds: every statement, every posting, every balance", async () => {
  await using published = new Published()
  await paid(published)
  for (let at = 0; at < 600; at++) published.ledger.appendSigned(bundle, digestOf(`${at}`), agent.publicKey)
  await published.publish()
  const checked = await check(published.folder, published.market)
  expect(checked).toMatchObject({ size: 604, statements: 601, postings: 3, receipts: 0 })
  expect(Object.fromEntries(checked.balances)).toEqual({
    issuer: -1000,
    market: 20,
    [`identity:${agent.keyId}`]: 400,
    [`earned:${agent.keyId}`]: 180,
    [`escrow:${job}`]: 400,
  })
})

async function spoilt(
  published: Published,
  path: string,
  change: (bytes: Buffer) => Buffer,
): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "zg-copy-"))
  copies.push(copy)
  await cp(published.folder, copy, { recursive: true })
  await writeFile(join(copy, path), change(await readFile(join(copy, path))))
  return copy
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return bytes
}

test.each([
  ["an entry", "tile/entries/000", flip(40), "ledger-mismatch"],
  ["a hash in a tile", "tile/0/000", flip(40), "ledger-mismatch"],
  ["a hash in a narrow tile", "tile/0/001.p/44", flip(4), "ledger-mismatch"],
  ["a hash in the row above", "tile/1/000.p/1", flip(4), "ledger-mismatch"],
  [
    "a bundle that is cut",
    "tile/entries/001.p/44",
    (bytes: Buffer) => bytes.subarray(0, 99),
    "ledger-mismatch",
  ],
  ["a tile that is cut", "tile/0/000", (bytes: Buffer) => bytes.subarray(0, 64), "ledger-mismatch"],
  ["the signature", "checkpoint", (bytes: Buffer) => flip(bytes.length - 20)(bytes), "ledger-mismatch"],
  ["the root", "checkpoint", flip(50), "ledger-mismatch"],
  ["a checkpoint that is none", "checkpoint", () => Buffer.from("hello"), "ledger-malformed"],
] as const)("%s that was changed is found", async (_, path, change, code) => {
  await using published = new Published()
  await published.grow(300)
  const copy = await spoilt(published, path, change)
  await expect(check(copy, published.market)).rejects.toMatchObject({ code })
})

test("a file that is missing is named", async () => {
  await using published = new Published()
  await published.grow(3)
  await rm(join(published.folder, "tile/entries"), { recursive: true })
  await expect(check(published.folder, published.market)).rejects.toMatchObject({
    code: "ledger-malformed",
    message: expect.stringContaining("tile/entries/000.p/3"),
  })
})

/** Writes past the marketplace's own checks, as one would who wants to cheat. */
function force(published: Published, posting: Posting): void {
  const spec = { ...posting, at: "2026-01-01T00:00:00.000Z" }
  published.ledger.log.append(entryBytes({ apiVersion: "1", kind: "zg-posting", spec }))
}

const FREE = { feeBasisPoints: 0 }
const about = { job, agent: agent.keyId, lease: "l", proof }

test.each<[string, Posting, string]>([
  ["pays a lease twice", settlement(about, charged(10), FREE), "pays the lease l again"],
  [
    "pays a proof that it does not record",
    settlement({ ...about, lease: "other", proof: digestOf("unseen") }, charged(10), FREE),
    "not recorded",
  ],
  [
    "overdraws an account",
    submission(agent.keyId, job, { granted: micro(100_000), earned: micro(0) }),
    "overdraws",
  ],
  [
    "pays more than it charges",
    {
      ...settlement({ ...about, lease: "other" }, charged(10), FREE),
      about: { ...about, lease: "other", per: "shard", amount: "9" },
    },
    "pays other than it charges",
  ],
  [
    "pays for a time that is none",
    {
      ...settlement(about, charged(10), FREE),
      about: { ...about, lease: "other", per: "second", rate: "1", ms: "-1" },
    },
    "names a charge that is none",
  ],
  [
    "makes credits",
    { kind: "grant", about: {}, legs: [{ account: `identity:${agent.keyId}`, amount: 5 }] },
    "sum to zero",
  ],
])("a marketplace that %s is caught by whoever reads its ledger", async (_, posting, why) => {
  await using published = new Published()
  await paid(published)
  force(published, posting)
  await published.publish()
  await expect(check(published.folder, published.market)).rejects.toMatchObject({
    code: "ledger-mismatch",
    message: expect.stringMatching(new RegExp(why)),
  })
})

test("an entry that nobody knows is caught", async () => {
  await using published = new Published()
  published.ledger.log.append(Buffer.from('{"kind":"zg-posting", "apiVersion":"1"}'))
  await published.publish()
  await expect(check(published.folder, published.market)).rejects.toMatchObject({ code: "ledger-mismatch" })
})
