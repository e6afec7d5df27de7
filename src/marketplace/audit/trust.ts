import type { AuditTerms } from "./terms.ts"

/** What the audits of an agent have found. */
export interface AuditRecord {
  passed: number
  failed: number
  /** Passed since the last failure. */
  run: number
}

export const NO_RECORD: AuditRecord = { passed: 0, failed: 0, run: 0 }

export function afterPass({ passed, failed, run }: AuditRecord): AuditRecord {
  return { passed: passed + 1, failed, run: run + 1 }
}

/** A failure starts the probation anew, twice as long; its bond is gone besides. */
export function afterFailure({ passed, failed }: AuditRecord): AuditRecord {
  return { passed, failed: failed + 1, run: 0 }
}

type TrustTerms = Pick<AuditTerms, "deterrence" | "floor" | "probation">

/** What may be lost over one shard, in micro-credits. */
export interface Stake {
  /** What is held back of the agent's earlier pay. */
  bond: number
  price: number
}

/**
 * How likely this shard is audited: always while the agent is on probation or has less at stake than `deterrence` such shards
 * pay, then as much less often as there is more to lose, and never less often than the floor or the job's own share.
 * After BOINC's adaptive replication (1 - 1/n after n valid results), whose trust can be earned on trifles; a bond cannot.
 */
export function auditProbability(
  record: AuditRecord,
  { bond, price }: Stake,
  { deterrence, floor, probation }: TrustTerms,
  share = 0,
): number {
  if (record.run < probation * 2 ** record.failed || bond <= deterrence * price) return 1
  return Math.max(floor, share, (deterrence * price) / bond)
}

/**
 * How likely what an auditor answered is itself audited: as a proof of that shard would be, which is what a ring of auditors
 * fears, but at most every other answer, so that audits of audits come to an end.
 */
export function answerAuditProbability(record: AuditRecord, stake: Stake, terms: TrustTerms): number {
  return Math.min(1 / 2, auditProbability(record, stake, terms))
}
