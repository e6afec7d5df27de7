import fc from "fast-check"
import { expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { isFault } from "../../../src/protocol/fault.ts"
import { type Assignment, type ProofStatement, proofStatement } from "../../../src/protocol/proof.ts"
import { receiptStatement } from "../../../src/protocol/receipt.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import { checkProof, checkReceipt, checkResult } from "../../../src/runtime/proof/verify.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "./sample.ts"

const agent = nodeSigner()
const market = nodeSigner()
const STATEMENT = proofStatement(ASSIGNMENT, RUN)
const BUNDLE = await signStatement(STATEMENT, agent)

test("a proof that says what the lease granted is accepted", () => {
  const statement = checkProof(BUNDLE, agent.publicKey, ASSIGNMENT)
  expect(statement).toEqual(STATEMENT)
  checkResult(statement, RUN.outputs)
})

test("a result over other sizes is refused", () => {
  const others = RUN.outputs.map(output => ({ ...output, size: output.size + 1 }))
  expect(() => checkResult(STATEMENT, others)).toThrow(expect.objectContaining({ code: "proof-mismatch" }))
})

const GRANTS: [field: string, other: Partial<Assignment>][] = [
  ["job", { job: "job-ffffffffffff" as Assignment["job"] }],
  ["shard", { shard: { ...ASSIGNMENT.shard, index: 5 } }],
  ["shard", { shard: { ...ASSIGNMENT.shard, label: "round-3/train-0" } }],
  ["image", { spec: { ...ASSIGNMENT.spec, image: { ...ASSIGNMENT.spec.image, digest: digestOf("other") } } }],
  ["lease.id", { lease: { ...ASSIGNMENT.lease, id: "0".repeat(32) as Assignment["lease"]["id"] } }],
  ["lease.nonce", { lease: { ...ASSIGNMENT.lease, nonce: "0".repeat(32) as Assignment["lease"]["nonce"] } }],
  ["lease.epoch", { lease: { ...ASSIGNMENT.lease, epoch: 3 } }],
  ["lease.notAfter", { lease: { ...ASSIGNMENT.lease, notAfter: "2026-11-22T13:00:00.000Z" } }],
  ["resolvedDependencies", { spec: { ...ASSIGNMENT.spec, command: { argv: ["true"], env: {} } } }],
  ["resolvedDependencies", { spec: { ...ASSIGNMENT.spec, inputs: [] } }],
]

test.for(GRANTS)("a proof of another lease is refused for its %s", ([field, other], { expect }) => {
  const thrown = expect.objectContaining({
    code: "proof-mismatch",
    facts: expect.objectContaining({ field }),
  })
  expect(() => checkProof(BUNDLE, agent.publicKey, { ...ASSIGNMENT, ...other })).toThrow(thrown)
})

const LIES: [field: string, lie: (statement: ProofStatement) => void][] = [
  ["subject", said => said.subject.reverse()],
  ["subject", said => said.subject.pop()],
  ["subject", said => said.subject.push({ name: "output/more", digest: { sha256: "0".repeat(64) } })],
  ["byproducts", said => said.predicate.runDetails.byproducts.splice(0)],
  [
    "invocationId",
    said => {
      said.predicate.runDetails.metadata.invocationId = "other/1"
    },
  ],
  [
    "zg_exit",
    said => {
      said.predicate.runDetails.metadata.zg_exit = 1
    },
  ],
  [
    "finishedOn",
    said => {
      said.predicate.runDetails.metadata.finishedOn = "2026-11-22T10:59:59.999Z"
    },
  ],
]

test.for(LIES)("a signed statement with a wrong %s is refused", async ([field, lie], { expect }) => {
  const statement = structuredClone(STATEMENT)
  lie(statement)
  const bundle = await signStatement(statement, agent)
  const thrown = expect.objectContaining({
    code: "proof-mismatch",
    facts: expect.objectContaining({ field }),
  })
  expect(() => checkProof(bundle, agent.publicKey, ASSIGNMENT)).toThrow(thrown)
})

test("an unknown field in a statement is refused", async () => {
  const bundle = await signStatement({ ...STATEMENT, more: 1 }, agent)
  expect(() => checkProof(bundle, agent.publicKey, ASSIGNMENT)).toThrow(
    expect.objectContaining({ code: "proof-malformed" }),
  )
})

test("another key's proof is refused", () => {
  expect(() => checkProof(BUNDLE, market.publicKey, ASSIGNMENT)).toThrow(
    expect.objectContaining({ code: "proof-signature-wrong" }),
  )
})

test("a bundle with any one byte changed is refused", () => {
  const bytes = Buffer.from(JSON.stringify(BUNDLE))
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (position, change) => {
      const changed = Buffer.from(bytes)
      changed[position] = (changed[position] ?? 0) ^ change
      let bundle: unknown
      try {
        bundle = JSON.parse(changed.toString("utf8"))
      } catch {
        return
      }
      expect(refusalOf(bundle)).toMatch(/^proof-/)
    }),
    { numRuns: 3000 },
  )
})

function refusalOf(bundle: unknown): string {
  try {
    checkProof(bundle, agent.publicKey, ASSIGNMENT)
    return "accepted"
  } catch (error) {
    if (isFault(error)) return error.code
    throw error
  }
}

const PROOF = bundleDigest(BUNDLE)
const DUE = { proof: PROOF, lease: ASSIGNMENT.lease.id, agent: agent.keyId }
const SETTLEMENT = {
  proof: PROOF,
  market: market.keyId,
  at: "2026-11-22T11:00:06.000Z",
  settlement: {
    job: ASSIGNMENT.job,
    lease: ASSIGNMENT.lease.id,
    agent: agent.keyId,
    paid: 250_000 as never,
    ledger: { index: 7, leaf: digestOf("leaf") },
  },
}

test("a receipt for this proof, lease and agent is accepted, any other refused", async () => {
  const receipt = await signStatement(receiptStatement(SETTLEMENT), market)
  expect(checkReceipt(receipt, market.publicKey, DUE).predicate.zg_settlement.paid).toBe(250_000)
  const refused = (field: string) =>
    expect.objectContaining({ code: "receipt-refused", facts: expect.objectContaining({ field }) })
  expect(() => checkReceipt(receipt, market.publicKey, { ...DUE, proof: digestOf("other") })).toThrow(
    refused("subject"),
  )
  expect(() => checkReceipt(receipt, market.publicKey, { ...DUE, lease: "0".repeat(32) as never })).toThrow(
    refused("zg_settlement.lease"),
  )
  expect(() => checkReceipt(receipt, market.publicKey, { ...DUE, agent: market.keyId })).toThrow(
    refused("zg_settlement.agent"),
  )
  const forged = await signStatement(receiptStatement(SETTLEMENT), agent)
  expect(() => checkReceipt(forged, market.publicKey, DUE)).toThrow(
    expect.objectContaining({ code: "proof-signature-wrong" }),
  )
})
