import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { grant, settlement, submission } from "../../../src/marketplace/ledger/posting.ts"
import { MicroCredits } from "../../../src/protocol/credits.ts"
import { hexOf } from "../../../src/protocol/digest.ts"
import type { LedgerProof } from "../../../src/protocol/ledger-proof.ts"
import { proofStatement } from "../../../src/protocol/proof.ts"
import { receiptStatement } from "../../../src/protocol/receipt.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import { type ArchivedProof, ProofArchive } from "../../../src/runtime/proof/archive.ts"
import { checkArchived } from "../../../src/runtime/proof/check-archive.ts"
import { openLedger, recorded } from "../../ledger/recorded.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "./sample.ts"

const agent = nodeSigner()
const market = nodeSigner()

async function archived() {
  const archive = new ProofArchive(mkdtempSync(join(tmpdir(), "zg-check-")))
  return archive.chain(ASSIGNMENT, previous =>
    signStatement(proofStatement(ASSIGNMENT, { ...RUN, previous }), agent),
  )
}

type Entry = LedgerProof["entries"][number]

async function answerTo({ bundle }: ArchivedProof, amount = 245_000) {
  const { job, lease } = ASSIGNMENT
  const [proof, paid] = [bundleDigest(bundle), MicroCredits.parse(amount)]
  const about = { job, lease: lease.id, agent: agent.keyId, proof }
  const charge = { per: "shard", amount: paid } as const
  const books = openLedger()
  books.append(grant(agent.keyId, paid))
  books.append(submission(agent.keyId, job, { granted: paid, earned: MicroCredits.parse(0) }))
  const { place, ledger } = await recorded(
    books,
    market,
    { bundle, key: agent.publicKey },
    settlement(about, charge, { feeBasisPoints: 0 }),
  )
  const statement = receiptStatement({
    ...{ proof, market: market.keyId, at: RUN.finishedOn },
    settlement: { job, lease: lease.id, agent: agent.keyId, paid, charge, ledger: place },
  })
  return { receipt: await signStatement(statement, market), ledger }
}

test("a proof and its receipt check, and say what was paid", async () => {
  const proof = await archived()
  const answer = await answerTo(proof)
  const checked = checkArchived({ ...proof, ...answer }, agent.publicKey, market.publicKey)
  expect(checked.receipt?.predicate.zg_settlement.paid).toBe(245_000)
  expect(checked.recorded?.entries.map(({ entry }) => entry.kind)).toEqual(["dsse", "zg-posting"])
  expect(() => checkArchived({ ...proof, ...answer }, agent.publicKey, agent.publicKey)).toThrow("signature")
})

test("a payment that the ledger does not hold as the receipt says is refused", async () => {
  const proof = await archived()
  const honest = await answerTo(proof)
  const [signed, posting] = honest.ledger.entries as [Entry, Entry]
  const checkWith = (entries: Entry[], checkpoint = honest.ledger.checkpoint) => {
    const ledger = { checkpoint, entries }
    return checkArchived({ ...proof, ...honest, ledger }, agent.publicKey, market.publicKey)
  }
  const body = Buffer.from(Buffer.from(posting.body, "base64").toString().replace("245000", "245001"))
  const other = await answerTo(proof, 200_000)
  for (const [entries, code] of [
    [[signed, { ...posting, body: body.toString("base64") }], "ledger-mismatch"],
    [[signed, { ...posting, index: posting.index - 1 }], "ledger-mismatch"],
    [[signed], "receipt-refused"],
    [[posting, signed], "receipt-refused"],
    [[signed, signed], "receipt-refused"],
  ] as const)
    expect(() => checkWith([...entries])).toThrow(expect.objectContaining({ code }))
  // A ledger that holds a smaller payment.
  expect(() => checkWith(other.ledger.entries, other.ledger.checkpoint)).toThrow(
    expect.objectContaining({ code: "receipt-refused" }),
  )
  const forged = honest.ledger.checkpoint.replace(/\n2?\d\n/, "\n9\n")
  expect(() => checkWith(honest.ledger.entries, forged)).toThrow(
    expect.objectContaining({ code: "ledger-mismatch" }),
  )
})

test("an archive that was put together anew does not check: the proof names the one before it", async () => {
  const proof = await archived()
  const moved = { ...proof, previous: hexOf(RUN.log) }
  expect(() => checkArchived(moved, agent.publicKey, market.publicKey)).toThrow(
    "names another proof before it",
  )
})
