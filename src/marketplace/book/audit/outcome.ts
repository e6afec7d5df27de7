import type { AuditedPart, AuditVerdict } from "../../../protocol/audit-verdict.ts"
import { MicroCredits } from "../../../protocol/credits.ts"
import type { KeyId } from "../../../protocol/keys.ts"
import { specDigest } from "../../../protocol/shard-spec.ts"
import type { Exchange } from "../exchange.ts"
import { specOf } from "../payment.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import type { Finding } from "./findings.ts"

/** What the audit of a claim has come to. */
export interface Found {
  findings: readonly Finding[]
  /** Whether the agent did not show its states. */
  hidden: boolean
}

export type Outcome = "settled" | "failed" | "undecided"

const RESULTS = { settled: "PASSED", failed: "FAILED", undecided: "WARNED" } as const

export function outcomeOf({ agent }: CommitmentRow, found: Found): Outcome {
  if (found.hidden || wrongIn(found).has(agent)) return "failed"
  return found.findings.every(({ found: { kind } }) => kind === "agreed") ? "settled" : "undecided"
}

/** Whose answers are held to be wrong. What cannot be run is said without a signature, so that nobody can be held to it. */
export function wrongIn({ findings }: Found): Set<KeyId> {
  const wrong = findings.flatMap(({ found }) => (found.kind === "agreed" ? found.wrong : []))
  return new Set(wrong.filter(({ answer }) => answer !== null).map(({ owner }) => owner))
}

/** What the marketplace signs of an audit: what was drawn, who answered what, and who was wrong. */
export function verdictOf(
  exchange: Exchange,
  claim: CommitmentRow,
  { findings, hidden }: Found,
  outcome: Outcome,
): AuditVerdict {
  const { identity, clock, shards } = exchange
  const { proof, job, lease, agent, probability, checkpoint } = claim
  return {
    ...{ proof, spec: specDigest(shards.spec(claim)), result: RESULTS[outcome] },
    ...{ market: identity.keyId, at: new Date(clock()).toISOString(), job, lease, agent },
    policy: specOf(exchange, job).audit ?? { kind: "none" },
    ...{ probability: probability ?? 1, checkpoint: checkpoint ?? "", hidden },
    parts: findings.map(auditedPart),
  }
}

function auditedPart({ part, rows, said, found }: Finding): AuditedPart {
  return {
    part: part.number,
    spec: specDigest(part.spec),
    draws: rows.map(({ turn, auditor, candidates }) => ({
      turn,
      auditor,
      candidates: candidates.map(({ agent, bond }) => ({ agent, bond: MicroCredits.parse(bond) })),
    })),
    answers: said.map(({ owner, digest, answer }) => ({
      ...{ agent: owner, proof: answer?.proof ?? null, result: digest },
    })),
    wrong: found.kind === "agreed" ? found.wrong.map(({ owner }) => owner) : null,
  }
}
