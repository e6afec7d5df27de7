import { chargedBy, type Leg } from "../../protocol/books.ts"
import { canonicalJson, type Digest, digestOfHex, type NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { type KeyId, keyIdOf, type PublicKey } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import { statementOf } from "../../protocol/ledger-entry.ts"
import { checkLedgerProof, type LedgerProof, type ProvenEntries } from "../../protocol/ledger-proof.ts"
import { amountOf, type Charge, chargeOf, chargeText } from "../../protocol/price.ts"
import { type Assignment, dependencies, ProofStatement, ranMs, subjects } from "../../protocol/proof.ts"
import { ReceiptStatement } from "../../protocol/receipt.ts"
import { RUN_LOG } from "../../protocol/run-log.ts"
import { openBundle, type Resource, resource } from "../../protocol/statement.ts"

/** A field of a statement, what it says and what it has to say. */
type Claim = readonly [field: string, said: unknown, due: unknown]

/**
 * Opens a proof and checks that it says what the lease granted, and nothing else. What it cannot check is whether the work was done:
 * that is the audit's business.
 * @throws Fault `proof-malformed`, `proof-signature-wrong`, or `proof-mismatch` naming the field that differs.
 */
export function checkProof(bundle: unknown, key: PublicKey, assignment: Assignment): ProofStatement {
  const statement = openBundle(bundle, key, ProofStatement)
  demand("proof", proofClaims(statement, assignment))
  return statement
}

/**
 * Checks a proof's first subject: the digest of the manifest over its outputs, whose sizes only a holder of the blobs knows.
 * @throws Fault `proof-mismatch`.
 */
export function checkResult(statement: ProofStatement, outputs: NamedBlob[]): void {
  demand("proof", [["subject", statement.subject, subjects(outputs)]])
}

/**
 * Checks that a receipt charges what the lease promised, for no more time than the proof says. Leases of before a price was told promise
 * nothing. @throws Fault `receipt-refused`.
 */
export function checkCharge(
  { predicate: { zg_settlement: settlement } }: ReceiptStatement,
  { price }: Pick<Assignment, "price">,
  proof: ProofStatement,
): void {
  if (price === undefined) return
  const { charge } = settlement
  const ms = charge?.per === "second" ? charge.ms : 0
  demand("receipt", [
    ["charge", charge ?? null, chargeOf(price, ms)],
    ["charged time", ms <= ranMs(proof), true],
  ])
}

/** What a receipt has to be about. */
export interface ReceiptDue {
  /** The proof's `bundleDigest`. */
  proof: Digest
  lease: LeaseId
  agent: KeyId
}

/**
 * Opens the marketplace's answer to a proof and checks that it is about this proof, this lease and this agent.
 * @throws Fault `proof-malformed`, `proof-signature-wrong`, or `receipt-refused` naming the field that differs.
 */
export function checkReceipt(bundle: unknown, marketKey: PublicKey, due: ReceiptDue): ReceiptStatement {
  const statement = openBundle(bundle, marketKey, ReceiptStatement)
  const { verifier, zg_settlement: settlement } = statement.predicate
  demand("receipt", [
    ["subject", statement.subject, [resource("proof", due.proof)]],
    ["verifier.id", verifier.id, keyIdOf(marketKey)],
    ["zg_settlement.lease", settlement.lease, due.lease],
    ["zg_settlement.agent", settlement.agent, due.agent],
  ])
  return statement
}

/**
 * Checks that the marketplace's ledger holds the proof of a receipt, and the payment that the receipt speaks of.
 * @throws Fault `ledger-malformed`, `ledger-mismatch`, or `receipt-refused` naming the field that differs.
 */
export function checkRecorded(
  ledger: LedgerProof,
  marketKey: PublicKey,
  { subject: [proof], predicate: { zg_settlement: settlement } }: ReceiptStatement,
): ProvenEntries {
  const proven = checkLedgerProof(ledger, marketKey)
  const [recorded, paying] = proven.entries
  const { job, lease, agent, paid, charge } = settlement
  const posting = paying?.entry.kind === "zg-posting" ? paying.entry.spec : null
  const leaf = paying && digestOfHex(Buffer.from(paying.leaf).toString("hex"))
  const legs = posting?.legs ?? []
  const about = { job, lease, agent, proof: digestOfHex(proof.digest.sha256) }
  demand("receipt", [
    ["proof's entry", recorded?.entry.kind === "dsse" && statementOf(recorded.entry), about.proof],
    ["zg_settlement.ledger", { index: paying?.index ?? null, leaf: leaf ?? null }, settlement.ledger],
    ["posting's kind", posting?.kind ?? null, "settlement"],
    ["posting's subject", posting?.about ?? null, { ...about, ...(charge && chargeText(charge)) }],
    ["posting's amount", paidTo(agent, legs, charge), paid],
    ["posting's charge", charge ? chargedBy(legs) : null, charge ? amountOf(charge) : null],
  ])
  return proven
}

/** What an agent got for its work. Payments of before a charge was told went to another account, and did not say what for. */
function paidTo(agent: KeyId, legs: readonly Leg[], charge: Charge | undefined): number {
  const toAgent = legs.filter(({ account, for: purpose }) =>
    charge === undefined
      ? account === `identity:${agent}`
      : (account === `earned:${agent}` && purpose === "work") ||
        (account === `bond:${agent}` && purpose === "bond"),
  )
  return toAgent.reduce((sum, { amount }) => sum + amount, 0)
}

function proofClaims({ subject, predicate }: ProofStatement, granted: Assignment): Claim[] {
  const { externalParameters: said, resolvedDependencies } = predicate.buildDefinition
  const { metadata, byproducts } = predicate.runDetails
  const { lease, spec } = granted
  return [
    ["job", said.job, granted.job],
    ["shard", said.shard, granted.shard],
    ["image", said.image, spec.image],
    ["lease.id", said.lease.id, lease.id],
    ["lease.nonce", said.lease.nonce, lease.nonce],
    ["lease.epoch", said.lease.epoch, lease.epoch],
    // As it stood when the lease was granted: renewals are between the two ends and not part of the proof.
    ["lease.notAfter", said.lease.notAfter, lease.notAfter],
    ["resolvedDependencies", resolvedDependencies, dependencies(granted)],
    ["subject", names(subject), ["result", ...spec.outputs.map(name => `output/${name}`)]],
    ["byproducts", names(byproducts), spec.segments === "kept" ? ["log", RUN_LOG] : ["log"]],
    ["invocationId", metadata.invocationId, `${lease.id}/${lease.epoch}`],
    ["zg_exit", metadata.zg_exit, 0],
    ["finishedOn", Date.parse(metadata.startedOn) <= Date.parse(metadata.finishedOn), true],
  ]
}

function names(resources: Resource[]): string[] {
  return resources.map(({ name }) => name)
}

function demand(kind: "proof" | "receipt", claims: Claim[]): void {
  for (const [field, said, due] of claims) {
    if (canonicalJson(said) !== canonicalJson(due)) throw mismatch(kind, field, said, due)
  }
}

function mismatch(kind: "proof" | "receipt", field: string, said: unknown, due: unknown): Fault {
  const code = kind === "proof" ? "proof-mismatch" : "receipt-refused"
  return new Fault(code, `The ${kind}'s ${field} is not what was granted.`, {
    hint: "It belongs to another lease, or its sender changed it: do not accept it.",
    facts: { field, said: excerpt(said), due: excerpt(due) },
  })
}

const EXCERPT_CHARS = 300

function excerpt(value: unknown): string {
  return canonicalJson(value).slice(0, EXCERPT_CHARS)
}
