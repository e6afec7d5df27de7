import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { MicroCredits } from "../../../src/protocol/credits.ts"
import { hexOf } from "../../../src/protocol/digest.ts"
import { proofStatement } from "../../../src/protocol/proof.ts"
import { receiptStatement } from "../../../src/protocol/receipt.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import { ProofArchive } from "../../../src/runtime/proof/archive.ts"
import { checkArchived } from "../../../src/runtime/proof/check-archive.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "./sample.ts"

const agent = nodeSigner()
const market = nodeSigner()

async function archived() {
  const archive = new ProofArchive(mkdtempSync(join(tmpdir(), "zg-check-")))
  return archive.chain(ASSIGNMENT, previous =>
    signStatement(proofStatement(ASSIGNMENT, { ...RUN, previous }), agent),
  )
}

test("a proof and its receipt check, and say what was paid", async () => {
  const proof = await archived()
  const settlement = {
    ...{ job: ASSIGNMENT.job, lease: ASSIGNMENT.lease.id, agent: agent.keyId },
    ...{ paid: MicroCredits.parse(245_000), ledger: { index: 7, leaf: hexOf(RUN.log) } },
  }
  const about = { proof: bundleDigest(proof.bundle), market: market.keyId, at: RUN.finishedOn, settlement }
  const receipt = await signStatement(receiptStatement(about), market)
  const checked = checkArchived({ ...proof, receipt }, agent.publicKey, market.publicKey)
  expect(checked.receipt?.predicate.zg_settlement.paid).toBe(245_000)
  expect(() => checkArchived({ ...proof, receipt }, agent.publicKey, agent.publicKey)).toThrow("signature")
})

test("an archive that was put together anew does not check: the proof names the one before it", async () => {
  const proof = await archived()
  const moved = { ...proof, previous: hexOf(RUN.log) }
  expect(() => checkArchived(moved, agent.publicKey, market.publicKey)).toThrow(
    "names another proof before it",
  )
})
