import { z } from "zod"
import { digestOf } from "./digest.ts"
import { JobId } from "./job.ts"
import { KeyId } from "./keys.ts"
import { Timestamp } from "./lease.ts"
import { Resource, resource, STATEMENT_TYPE } from "./statement.ts"

/** Our own predicate: a secret that draws a job's canaries, named by its digest before the first lease and told after the last one. */
export const CANARY = "https://zg-agent.dev/canary/v1"

export const CanaryStatement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  /** The digest of the secret's 32 bytes. */
  subject: z.tuple([Resource]),
  predicateType: z.literal(CANARY),
  predicate: z.strictObject({
    market: KeyId,
    job: JobId,
    at: Timestamp,
    /** In hex, once the job is over. */
    secret: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable(),
  }),
})
export type CanaryStatement = z.infer<typeof CanaryStatement>

/** @param isTold whether the statement holds the secret itself. */
export function canaryStatement(
  { market, job, at, secret }: { market: KeyId; job: JobId; at: string; secret: Uint8Array },
  isTold: boolean,
): CanaryStatement {
  return {
    _type: STATEMENT_TYPE,
    subject: [resource("secret", digestOf(secret))],
    predicateType: CANARY,
    predicate: { market, job, at, secret: isTold ? Buffer.from(secret).toString("hex") : null },
  }
}
