import type { Violation } from "./facts.ts"

/** What came of one run. */
export interface Outcome {
  fault: string
  moment: string
  seed: number
  /** Null where it could not even be handed in. */
  job: string | null
  /** False where there was nothing left to strike. */
  struck: boolean
  /** How many shards the marketplace settled. */
  settled: number
  /** The code of each lease that the agent abandoned; its shard may be settled under a later one. */
  abandoned: string[]
  violations: Violation[]
  /** From the fault's end to the next sign that the job goes on, in milliseconds; null where it had been over by then. */
  recoveryMs: number | null
  /** Programs that ended by themselves. */
  ends: string[]
  tookMs: number
}
