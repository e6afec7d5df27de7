import { z } from "zod"
import { MicroCredits } from "./credits.ts"
import { Digest } from "./digest.ts"
import { JobId } from "./job.ts"
import { KeyId } from "./keys.ts"
import { LeaseId, Timestamp } from "./lease.ts"
import { LedgerProof } from "./ledger-proof.ts"
import { Charge } from "./price.ts"
import { Bundle, Resource, resource, STATEMENT_TYPE } from "./statement.ts"

/** in-toto Simple Verification Result v0.2: the marketplace checked the proof and says which properties hold. */
export const SVR = "https://in-toto.io/attestation/svr/v0.2"

/** The marketplace's signed answer to a proof: accepted, paid, and where the ledger says so. */
export const ReceiptStatement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([Resource]),
  predicateType: z.literal(SVR),
  predicate: z.strictObject({
    verifier: z.strictObject({ id: KeyId }),
    timeCreated: Timestamp,
    properties: z.array(z.string()),
    zg_settlement: z.strictObject({
      job: JobId,
      lease: LeaseId,
      agent: KeyId,
      /** What the agent gets for its work, after the fee, with what of it goes to its bond. */
      paid: MicroCredits,
      /** What the job was charged for that work; receipts of before this was said have none. */
      charge: Charge.optional(),
      /** The posting's place in the ledger, from 0, and its leaf hash. */
      ledger: z.strictObject({ index: z.int().min(0), leaf: Digest }),
    }),
  }),
})
export type ReceiptStatement = z.infer<typeof ReceiptStatement>

/** The signed answer, and what shows that the ledger holds the proof, and then the posting that pays it. */
export const Receipt = z.strictObject({ bundle: Bundle, ledger: LedgerProof })
export type Receipt = z.infer<typeof Receipt>

export interface Settlement {
  proof: Digest
  market: KeyId
  at: string
  settlement: ReceiptStatement["predicate"]["zg_settlement"]
}

export function receiptStatement({ proof, market, at, settlement }: Settlement): ReceiptStatement {
  return {
    _type: STATEMENT_TYPE,
    subject: [resource("proof", proof)],
    predicateType: SVR,
    predicate: {
      verifier: { id: market },
      timeCreated: at,
      properties: ["ZG_PROOF_SIGNATURE", "ZG_LEASE_HELD", "ZG_INPUTS_AS_LEASED", "ZG_OUTPUTS_STORED"],
      zg_settlement: settlement,
    },
  }
}
