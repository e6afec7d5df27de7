import type { KeyId } from "../../../protocol/keys.ts"
import { amountOf } from "../../../protocol/price.ts"
import { chance } from "../../audit/draw.ts"
import { answerAuditProbability, auditProbability, type Stake } from "../../audit/trust.ts"
import type { Exchange } from "../exchange.ts"
import { specOf, stakeOf } from "../payment.ts"
import { hasBeenDrawn } from "./canaries.ts"
import type { CommitmentRow } from "./commitment-row.ts"

/** Whether an auditor's answer is audited: drawn like a proof, with the whole shard at stake. */
export function isAnswerAudited(exchange: Exchange, answer: CommitmentRow | null): boolean {
  if (answer?.claim == null) return false
  const claim = exchange.commitments.one(answer.claim)
  if (!claim) throw new Error(`an answer to ${answer.claim}, which is not there`)
  const { audit } = exchange.terms
  const stake = stakeIn(exchange, answer.agent, claim)
  const probability = answerAuditProbability(exchange.commitments.record(answer.agent), stake, audit)
  return chance(exchange.commitments.seed(answer)) < probability
}

/** How likely a claim is audited, by what its agent's record is now. */
export function probabilityOf(exchange: Exchange, claim: CommitmentRow): number {
  const { commitments, terms } = exchange
  const { audit } = specOf(exchange, claim.job)
  const share = audit && "share" in audit ? audit.share : 0
  if (commitments.isRepeated(claim)) return 1
  const stake = stakeIn(exchange, claim.agent, claim)
  const probability = auditProbability(commitments.record(claim.agent), stake, terms.audit, share)
  return hasBeenDrawn(exchange, claim, probability) ? 0 : probability
}

function stakeIn(exchange: Exchange, agent: KeyId, claim: CommitmentRow): Stake {
  const { charge } = exchange.commitments.handedIn(claim)
  return stakeOf(exchange, agent, specOf(exchange, claim.job), amountOf(charge))
}
