import { verdictStatement } from "../../../protocol/audit-verdict.ts"
import type { Digest } from "../../../protocol/digest.ts"
import { type Bundle, bundleDigest, signStatement } from "../../../protocol/statement.ts"
import { announceEnd, type Ended, refundIfOver } from "../ending.ts"
import type { Exchange } from "../exchange.ts"
import { isAtStake, specOf } from "../payment.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { judgeAuditors, keep, keepRecords, offerAnew, settle, shardOf } from "./consequences.ts"
import type { Finding } from "./findings.ts"
import { type Found, type Outcome, outcomeOf, verdictOf, wrongIn } from "./outcome.ts"

/** How long a shard is kept from whose result for it was wrong, in cool-offs. */
const WRONG_FACTOR = 20

/** Pays a claim that was not drawn. */
export async function settleUnaudited(exchange: Exchange, claim: CommitmentRow): Promise<void> {
  const ended = await exchange.db.write(() => {
    if (!isOpen(exchange, claim)) return null
    exchange.commitments.conclude(claim, { state: "settled", verdict: null, at: exchange.clock() })
    return settle(exchange, claim)
  })
  announce(exchange, claim, { outcome: "settled", ended })
}

/**
 * Ends an audit, all of it in one write: the signed verdict is logged, those who were right are paid, those who were wrong lose their bonds,
 * and a shard without a result that holds is offered anew.
 */
export async function conclude(exchange: Exchange, claim: CommitmentRow, found: Found): Promise<void> {
  const { db, commitments, ledger, identity, clock } = exchange
  const outcome = outcomeOf(claim, found)
  const verdict = await signStatement(verdictStatement(verdictOf(exchange, claim, found, outcome)), identity)
  const ended = await db.write(() => {
    if (!isOpen(exchange, claim)) return null
    ledger.appendSigned(verdict, bundleDigest(verdict), identity.publicKey)
    const spec = specOf(exchange, claim.job)
    const owed = judgeAuditors(exchange, claim, found, () => verdict)
    commitments.conclude(claim, { state: outcome, verdict, at: clock() })
    if (isAtStake(exchange, spec)) keepRecords(exchange, claim, found, { outcome, owed })
    if (outcome === "settled") return settle(exchange, claim)
    return offerAnew(exchange, claim, outcome)
  })
  announce(exchange, claim, { outcome, ended })
}

/**
 * Ends what was asked again of a claim that had been decided before: answers to canaries, and those of the auditors of a dispute over one,
 * each with a verdict of its own. Whoever was held right before stays so.
 */
export async function concludeLate(
  exchange: Exchange,
  claim: CommitmentRow,
  findings: readonly Finding[],
): Promise<void> {
  const { db, ledger, identity, wake, log } = exchange
  const found = { findings, hidden: false }
  const wrong = wrongIn(found)
  const isDecided = findings.every(({ found: { kind } }) => kind === "agreed")
  const outcomeOfAnswer = ({ agent }: CommitmentRow): Outcome =>
    !isDecided ? "undecided" : wrong.has(agent) ? "failed" : "settled"
  const late = findings
    .flatMap(({ said }) => said)
    .flatMap(({ answer }) => (answer && isOpen(exchange, answer) ? [answer] : []))
  const verdicts = new Map<Digest, Bundle>()
  for (const answer of late) {
    const verdict = verdictOf(exchange, answer, found, outcomeOfAnswer(answer))
    verdicts.set(answer.proof, await signStatement(verdictStatement(verdict), identity))
  }
  await db.write(() => {
    if (!late.every(answer => isOpen(exchange, answer))) return
    for (const verdict of verdicts.values())
      ledger.appendSigned(verdict, bundleDigest(verdict), identity.publicKey)
    const owed = judgeAuditors(exchange, claim, found, ({ proof }) => verdicts.get(proof) ?? null)
    const agents = (outcome: Outcome) =>
      late.filter(answer => outcomeOfAnswer(answer) === outcome).map(({ agent }) => agent)
    if (isAtStake(exchange, specOf(exchange, claim.job)))
      keep(exchange, claim, { passed: agents("settled"), failed: agents("failed"), owed })
    refundIfOver(exchange, claim.job)
  })
  for (const answer of late)
    log.info({
      event: `canary.${outcomeOfAnswer(answer)}`,
      job: claim.job,
      agent: answer.agent,
      proof: answer.proof,
    })
  exchange.watches.changed(claim.job)
  wake()
}

function isOpen({ commitments }: Exchange, { proof }: CommitmentRow): boolean {
  return commitments.one(proof)?.state === "open"
}

function announce(
  exchange: Exchange,
  claim: CommitmentRow,
  { outcome, ended }: { outcome: Outcome; ended: Ended | null },
): void {
  const { log, offers, terms, clock, watches, wake } = exchange
  const { job, index, agent, proof } = claim
  const { label } = shardOf(exchange, claim)
  const event = outcome === "settled" ? "shard.settled" : `audit.${outcome}`
  log[outcome === "settled" ? "info" : "warn"]({ event, job, label, agent, proof })
  if (outcome !== "settled") offers.cool({ job, index }, agent, clock() + terms.coolOffMs * WRONG_FACTOR)
  watches.changed(job)
  announceEnd(exchange, ended)
  wake()
}
