import { z } from "zod"
import { AuditPolicy } from "./audit.ts"
import { MicroCredits } from "./credits.ts"
import { Digest } from "./digest.ts"
import { JobId } from "./job.ts"
import { KeyId } from "./keys.ts"
import { LeaseId, Timestamp } from "./lease.ts"
import { Resource, resource, STATEMENT_TYPE } from "./statement.ts"

/** in-toto test result v0.1: what was checked, and how it came out. */
export const TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"

/** What somebody says that a part comes to, or that it cannot be run at all. */
const Answer = z.strictObject({
  agent: KeyId,
  /** The proof that says so; null for what could not be run. */
  proof: Digest.nullable(),
  /** Digest of the result manifest; null for what could not be run. */
  result: Digest.nullable(),
})

/** A draw for one part, which anyone can repeat. */
const Draw = z.strictObject({
  turn: z.int().min(0),
  auditor: KeyId,
  candidates: z.array(z.strictObject({ agent: KeyId, bond: MicroCredits })),
})

export const AuditedPart = z.strictObject({
  part: z.int().min(0),
  spec: Digest,
  draws: z.array(Draw),
  /** The claim's first, but where two states are compared, of which it says nothing. */
  answers: z.array(Answer),
  /** Who is held to be wrong; null where nothing was decided. */
  wrong: z.array(KeyId).nullable(),
})
export type AuditedPart = z.infer<typeof AuditedPart>

/** `PASSED` for a proof that holds, `FAILED` for one that does not, `WARNED` where nobody can tell. */
export const VerdictStatement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([Resource]),
  predicateType: z.literal(TEST_RESULT),
  predicate: z.strictObject({
    result: z.enum(["PASSED", "FAILED", "WARNED"]),
    configuration: z.array(Resource),
    zg_audit: z.strictObject({
      market: KeyId,
      at: Timestamp,
      job: JobId,
      lease: LeaseId,
      agent: KeyId,
      policy: AuditPolicy,
      /** How likely it was to be audited. */
      probability: z.number().min(0).max(1),
      /** The signed checkpoint that the draws come from. */
      checkpoint: z.string(),
      /** Of segments whose states the agent did not show; otherwise false. */
      hidden: z.boolean(),
      parts: z.array(AuditedPart),
    }),
  }),
})
export type VerdictStatement = z.infer<typeof VerdictStatement>

type Finding = VerdictStatement["predicate"]["zg_audit"]

export interface AuditVerdict extends Finding {
  /** The audited proof, and the spec of its shard. */
  proof: Digest
  spec: Digest
  result: VerdictStatement["predicate"]["result"]
}

export function verdictStatement({ proof, spec, result, ...audit }: AuditVerdict): VerdictStatement {
  return {
    _type: STATEMENT_TYPE,
    subject: [resource("proof", proof)],
    predicateType: TEST_RESULT,
    predicate: { result, configuration: [resource("spec", spec)], zg_audit: audit },
  }
}
