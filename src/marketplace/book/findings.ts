import type { Digest } from "../../protocol/digest.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { amountOf } from "../../protocol/price.ts"
import { chance } from "../audit/draw.ts"
import { type Standing, standing } from "../audit/standing.ts"
import { answerAuditProbability, auditProbability, type Stake } from "../audit/trust.ts"
import type { Answer } from "../audit/verdict.ts"
import type { Part } from "../plans/parts.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import type { Exchange } from "./exchange.ts"
import { isAtStake, specOf } from "./payment.ts"
import { seedOf } from "./reveal.ts"
import type { AuditRow } from "./shard-row.ts"

/** Programs that end like this say that a state cannot be run: were that no answer, a cheat would show states that break whoever runs them. */
const UNRUNNABLE = ["shard-failed", "shard-output-missing"]

/** What somebody says of a part; without a proof, that it cannot be run. */
export interface Said extends Answer {
  owner: KeyId
  result: Digest | "unrunnable"
  answer: CommitmentRow | null
}

/** A part, who was asked, and how it stands. */
export interface Finding extends Standing<Said> {
  part: Part
  said: [Said, ...Said[]]
  rows: AuditRow[]
  /** Those who have been asked and may still answer. */
  pending: AuditRow[]
}

/** How a claim's parts stand. */
export function findingsOf(exchange: Exchange, claim: CommitmentRow, parts: readonly Part[]): Finding[] {
  const { terms } = exchange
  const { audit } = specOf(exchange, claim.job)
  const quorum = audit?.kind === "replicate" ? audit.quorum : 2
  const all = exchange.shards.auditing(claim.proof)
  return parts.map(part => {
    const rows = all.filter(row => row.part === part.number)
    const answers = rows.flatMap(row => answerOf(exchange, row) ?? [])
    const said: Finding["said"] = [{ owner: claim.agent, result: part.claimed, answer: claim }, ...answers]
    const pending = rows.filter(
      ({ state, proof }) => state === "ready" || state === "leased" || isUndrawn(exchange, proof),
    )
    const stood = standing(said, { quorum, lead: terms.audit.lead }, ({ answer }) =>
      isDrawn(exchange, answer),
    )
    return { part, said, rows, pending, ...stood }
  })
}

function answerOf({ commitments }: Exchange, { auditor, proof, lost }: AuditRow): Said | null {
  if (lost !== null)
    return UNRUNNABLE.includes(lost) ? { owner: auditor, result: "unrunnable", answer: null } : null
  const answer = proof === null ? undefined : commitments.one(proof)
  return answer?.checkpoint ? { owner: auditor, result: answer.result, answer } : null
}

/** An answer counts once the ledger has drawn whether it is audited, too. */
function isUndrawn({ commitments }: Exchange, proof: Digest | null): boolean {
  const answer = proof === null ? undefined : commitments.one(proof)
  return answer?.state === "open" && answer.checkpoint === null
}

/** Whether an auditor's answer is audited: drawn like a proof, with the whole shard at stake. */
function isDrawn(exchange: Exchange, answer: CommitmentRow | null): boolean {
  if (answer?.claim == null) return false
  const claim = exchange.commitments.one(answer.claim)
  if (!claim) throw new Error(`an answer to ${answer.claim}, which is not there`)
  const { audit } = exchange.terms
  const stake = stakeOf(exchange, answer.agent, claim)
  const probability = answerAuditProbability(exchange.commitments.record(answer.agent), stake, audit)
  return chance(seedOf(exchange, answer)) < probability
}

/** How likely a claim is audited, by what its agent's record is now. */
export function probabilityOf(exchange: Exchange, claim: CommitmentRow): number {
  const { commitments, terms } = exchange
  const { audit } = specOf(exchange, claim.job)
  const share = audit && "share" in audit ? audit.share : 0
  if (commitments.isRepeated(claim)) return 1
  const stake = stakeOf(exchange, claim.agent, claim)
  return auditProbability(commitments.record(claim.agent), stake, terms.audit, share)
}

/** What an agent loses if it is wrong about a claim: nothing under an image that nobody vouches for. */
function stakeOf(exchange: Exchange, agent: KeyId, claim: CommitmentRow): Stake {
  const { charge } = exchange.commitments.handedIn(claim)
  const isBonded = isAtStake(exchange, specOf(exchange, claim.job))
  return { bond: isBonded ? exchange.ledger.balance(`bond:${agent}`) : 0, price: amountOf(charge) }
}
