import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { earningsReport } from "../../../src/cli/earnings-report.ts"
import { MicroCredits } from "../../../src/protocol/credits.ts"
import { digestOf } from "../../../src/protocol/digest.ts"
import type { LeaseId } from "../../../src/protocol/lease.ts"
import { type Assignment, proofStatement, type RunRecord } from "../../../src/protocol/proof.ts"
import { receiptStatement } from "../../../src/protocol/receipt.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import { earningsBy, earningsOf, type PaidShard } from "../../../src/runtime/earnings/earnings.ts"
import { paidWork, parseSince } from "../../../src/runtime/earnings/paid-shards.ts"
import { ProofArchive } from "../../../src/runtime/proof/archive.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "../proof/sample.ts"

const [agent, market] = [nodeSigner(), nodeSigner()]
const CARD = { uuid: "GPU-1", pciAddress: null, model: "RTX 3090" }

interface Done {
  lease: string
  run: Partial<RunRecord>
  /** When it was settled; null for never. */
  at: string | null
  paid: number
}

/** An archive as an agent leaves it: real proofs, real receipts. */
async function archiveOf(done: readonly Done[]): Promise<ProofArchive> {
  const archive = new ProofArchive(mkdtempSync(join(tmpdir(), "zg-earnings-")))
  for (const { lease: digit, run, at, paid } of done) {
    const lease = { ...ASSIGNMENT.lease, id: digit.repeat(32) as LeaseId }
    const assignment: Assignment = { ...ASSIGNMENT, lease }
    const { bundle } = await archive.chain(assignment, previous =>
      signStatement(proofStatement(assignment, { ...RUN, ...run, previous }), agent),
    )
    if (at === null) continue
    const proof = bundleDigest(bundle)
    const settlement = {
      ...{ job: ASSIGNMENT.job, lease: lease.id, agent: agent.keyId, paid: MicroCredits.parse(paid) },
      ledger: { index: 0, leaf: digestOf("leaf") },
    }
    const statement = receiptStatement({ proof, market: market.keyId, at, settlement })
    const ledger = { checkpoint: "", entries: [{ index: 0, body: "", hashes: [] }] }
    await archive.settle(proof, { bundle: await signStatement(statement, market), ledger })
  }
  return archive
}

const onCard = { gpus: [CARD], usage: { ...RUN.usage, gpuSeconds: 5, energyJoules: 1_800_000 } }
const DONE: Done[] = [
  { lease: "a", run: onCard, at: "2026-11-20T23:59:59.000Z", paid: 400_000 },
  { lease: "b", run: onCard, at: "2026-11-22T01:00:00.000Z", paid: 100_000 },
  { lease: "c", run: {}, at: "2026-11-22T02:00:00.000Z", paid: 20_000 },
  { lease: "d", run: {}, at: null, paid: 0 },
]

test("proofs and receipts of a home tell what was paid, by day, job and card, since any day", async () => {
  const archive = await archiveOf(DONE)
  const { shards, open } = await paidWork(archive, 0)
  expect([shards.length, open]).toEqual([3, 1])
  const tariff = MicroCredits.parse(300_000)
  expect(earningsBy(shards, "day", tariff)).toEqual([
    {
      ...{ of: "2026-11-22", shards: 2, paid: 120_000, slotSeconds: 10, energyJoules: 1_800_000 },
      ...{ unmeasured: 1, energyCost: null, net: null },
    },
    {
      ...{ of: "2026-11-20", shards: 1, paid: 400_000, slotSeconds: 5, energyJoules: 1_800_000 },
      ...{ unmeasured: 0, energyCost: 150_000, net: 250_000 },
    },
  ])
  expect(earningsBy(shards, "gpu", tariff)).toMatchObject([
    { of: "GPU-1", paid: 500_000, energyCost: 300_000, net: 200_000 },
    { of: "cpu", paid: 20_000, energyJoules: null, net: null },
  ])
  expect(earningsBy(shards, "job", null)).toMatchObject([
    { of: ASSIGNMENT.job, shards: 3, energyCost: null, net: null },
  ])
  expect((await paidWork(archive, parseSince("2026-11-21"))).shards).toHaveLength(2)
  expect((await paidWork(archive, parseSince("2026-11-22T01:30:00Z"))).shards).toHaveLength(1)
  expect(() => parseSince("yesterday")).toThrow(expect.objectContaining({ code: "bad-argument" }))
})

test("a loss is a loss, and what is not known is said and not guessed", () => {
  const shard: PaidShard = {
    ...{ settledOn: "2026-11-22T00:00:00.000Z", job: "job-1", gpu: "GPU-1" },
    ...{ paid: 10_000, ranMs: 1500, energyJoules: 1 },
  }
  const total = earningsOf([shard], MicroCredits.parse(3_600_000_000_000))
  // A joule costs a credit.
  expect(total).toMatchObject({ energyCost: 1_000_000, net: -990_000 })
  expect(earningsOf([{ ...shard, energyJoules: 0.001 }], MicroCredits.parse(1)).energyCost).toBe(1)
  const unknown = [shard, { ...shard, energyJoules: null }]
  const table = earningsReport({
    ...{ by: "day", groups: earningsBy(unknown, "day", MicroCredits.parse(1)), isPriced: true, open: 2 },
    total: earningsOf(unknown, MicroCredits.parse(1)),
  })
  expect(table.replace(/ {2,}/g, " | ")).toBe(
    [
      "day | shards | slot time | earned | energy | its cost | net",
      "2026-11-22 | 2 | 3.0 s | 0.02 | 0.000 kWh + 1 unknown | unknown | unknown",
      "in all | 2 | 3.0 s | 0.02 | 0.000 kWh + 1 unknown | unknown | unknown",
      "",
      "The energy of 1 shard is not known: cards that tell no power, and the CPU, are not measured.",
      "2 proofs not answered yet.",
    ].join("\n"),
  )
})
