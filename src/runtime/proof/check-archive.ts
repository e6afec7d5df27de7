import { type Digest, digestOfHex } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { keyIdOf, type PublicKey } from "../../protocol/keys.ts"
import type { ProvenEntries } from "../../protocol/ledger-proof.ts"
import type { ProofStatement } from "../../protocol/proof.ts"
import type { ReceiptStatement } from "../../protocol/receipt.ts"
import { bundleDigest } from "../../protocol/statement.ts"
import type { ArchivedProof } from "./archive.ts"
import { checkCharge, checkProof, checkReceipt, checkRecorded } from "./verify.ts"

/** An archived proof after every check that can be made without the marketplace. */
export interface CheckedProof {
  proof: Digest
  statement: ProofStatement
  /** Null while the marketplace has not answered. */
  receipt: ReceiptStatement | null
  /** Its entries in the ledger; null while the marketplace has not answered, or for what it answered before there was a log. */
  recorded: ProvenEntries | null
}

/**
 * Checks the agent's signature, that the proof says what the lease granted, and the marketplace's receipt.
 * @throws Fault `proof-…`, `ledger-…` or `receipt-refused` naming what is wrong.
 */
export function checkArchived(
  archived: ArchivedProof,
  agentKey: PublicKey,
  marketKey: PublicKey,
): CheckedProof {
  const { bundle, receipt, ledger, assignment } = archived
  const statement = checkProof(bundle, agentKey, assignment)
  const claimed = statement.predicate.runDetails.metadata.zg_previous
  if (claimed !== (archived.previous && digestOfHex(archived.previous))) throw chainBroken()
  const proof = bundleDigest(bundle)
  const due = { proof, lease: assignment.lease.id, agent: keyIdOf(agentKey) }
  const answer = receipt && checkReceipt(receipt, marketKey, due)
  if (answer) checkCharge(answer, assignment, statement)
  const recorded = answer && ledger && checkRecorded(ledger, marketKey, answer)
  return { proof, statement, receipt: answer, recorded }
}

function chainBroken(): Fault {
  return new Fault("proof-mismatch", "The proof names another proof before it than this archive does.", {
    hint: "A file in proofs/ was changed or put back from another archive; restore the folder from a backup.",
  })
}
