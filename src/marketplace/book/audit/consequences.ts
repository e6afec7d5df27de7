import type { KeyId } from "../../../protocol/keys.ts"
import { amountOf } from "../../../protocol/price.ts"
import type { Bundle } from "../../../protocol/statement.ts"
import { forfeit } from "../../audit/bond.ts"
import { afterFailure, afterPass } from "../../audit/trust.ts"
import { forfeiture } from "../../ledger/posting.ts"
import { afterLoss } from "../claim.ts"
import { type Ended, recordEnd, refundIfOver } from "../ending.ts"
import type { Exchange } from "../exchange.ts"
import { settleShard } from "../settlement.ts"
import type { ShardRow } from "../shard-row.ts"
import type { AuditRow } from "./audit-row.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { type Found, type Outcome, wrongIn } from "./outcome.ts"

/* What follows from an audit; all of it belongs into one write. */

/**
 * Pays those who answered, but for those who were wrong, and takes back what nobody has answered. Other agents' canaries go on: they are
 * judged by themselves.
 * @returns what the answers are paid in all.
 */
export function judgeAuditors(
  exchange: Exchange,
  claim: CommitmentRow,
  found: Found,
  verdictOn: (answer: CommitmentRow) => Bundle | null,
): number {
  const { commitments, shards, audits, clock } = exchange
  const wrong = wrongIn(found)
  const said = new Set(found.findings.flatMap(finding => finding.said).map(({ answer }) => answer?.proof))
  let owed = 0
  for (const row of audits.auditing(claim.proof)) {
    const answer = row.proof !== null && said.has(row.proof) ? commitments.one(row.proof) : undefined
    if (answer?.state === "open") {
      const isWrong = wrong.has(row.auditor)
      const state = isWrong ? "failed" : "settled"
      commitments.conclude(answer, { state, verdict: verdictOn(answer), at: clock() })
      if (isWrong) shards.update(row, { state: "failed", epoch: row.epoch + 1 })
      else {
        settle(exchange, answer)
        owed += amountOf(commitments.handedIn(answer).charge)
      }
    } else if (row.instead === null && (row.state === "ready" || row.state === "leased"))
      takeBack(exchange, row)
  }
  return owed
}

function takeBack({ shards, offers, roster }: Exchange, row: AuditRow): void {
  const { job, index, lease, epoch, state, agent } = row
  shards.update(row, { state: "failed", epoch: epoch + 1, lost: "shard-cancelled" })
  for (const offer of offers.all().filter(one => one.job === job && one.index === index)) {
    offers.remove(offer)
    roster.send(offer.agent, { type: "withdrawn", offer: offer.id })
  }
  if (state === "leased" && agent)
    roster.send(agent, { type: "cancel", lease, epoch, reason: "the audit is over" })
}

/** Who has passed and who has failed by an audit, where a bond is at stake. */
export function keepRecords(
  exchange: Exchange,
  claim: CommitmentRow,
  found: Found,
  { outcome, owed }: { outcome: Outcome; owed: number },
): void {
  // Whose answer somebody else has confirmed: of the auditors, all but the last.
  const confirmed = found.findings
    .flatMap(({ said }) => said.slice(0, -1))
    .filter(({ answer }) => answer !== null && answer.claim !== null)
  keep(exchange, claim, {
    passed: [...(outcome === "settled" ? [claim.agent] : []), ...confirmed.map(({ owner }) => owner)],
    failed: [...new Set([...(outcome === "failed" ? [claim.agent] : []), ...wrongIn(found)])],
    owed,
  })
}

/** The first bonds that are lost pay for the audit. */
export function keep(
  { commitments, ledger }: Exchange,
  { job, proof }: CommitmentRow,
  { passed, failed, owed }: { passed: readonly KeyId[]; failed: readonly KeyId[]; owed: number },
): void {
  let left = owed
  for (const agent of failed) {
    commitments.setRecord(agent, afterFailure(commitments.record(agent)))
    const bond = ledger.balance(`bond:${agent}`)
    const lost = forfeit(bond, left)
    left = lost.short
    if (bond > 0) ledger.append(forfeiture({ agent, job, proof }, lost))
  }
  for (const agent of new Set(passed))
    if (!failed.includes(agent)) commitments.setRecord(agent, afterPass(commitments.record(agent)))
}

export function settle(exchange: Exchange, taken: CommitmentRow): Ended | null {
  const shard = shardOf(exchange, taken)
  return settleShard(exchange, shard, { ...taken, ...exchange.commitments.handedIn(taken) }).ended
}

/** The shard is ready again, or failed once too often. */
export function offerAnew(
  exchange: Exchange,
  claim: CommitmentRow,
  outcome: Exclude<Outcome, "settled">,
): Ended | null {
  const { jobs, shards, terms, clock } = exchange
  const shard = shardOf(exchange, claim)
  const after = afterLoss(shard, { cause: outcome === "failed" ? "refuted" : "undecided" }, terms)
  const state = jobs.one(claim.job)?.state === "failed" ? "failed" : after.state
  const { epoch, attempt } = after
  shards.update(shard, {
    ...{ state, epoch, attempt, readyAt: clock(), agent: null, slot: null, nonce: null, notAfter: null },
    ...{ proof: null, loss: null, step: 0, steps: 0, checkpoint: null },
  })
  refundIfOver(exchange, claim.job)
  return after.state === "failed"
    ? recordEnd(exchange, claim.job, { state: "failed", reason: `job-failed: ${after.reason}` })
    : null
}

/** The shard that a proof is about. */
export function shardOf({ shards }: Pick<Exchange, "shards">, { job, index }: CommitmentRow): ShardRow {
  const shard = shards.one(job, index)
  if (!shard) throw new Error(`a proof of ${job}/${index}, which is not there`)
  return shard
}
