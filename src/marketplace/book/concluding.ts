import { type AuditedPart, type AuditVerdict, verdictStatement } from "../../protocol/audit-verdict.ts"
import { MicroCredits } from "../../protocol/credits.ts"
import type { Digest } from "../../protocol/digest.ts"
import type { JobSpec } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { amountOf } from "../../protocol/price.ts"
import { specDigest } from "../../protocol/shard-spec.ts"
import { type Bundle, bundleDigest, signStatement } from "../../protocol/statement.ts"
import { forfeit } from "../audit/bond.ts"
import { afterFailure, afterPass } from "../audit/trust.ts"
import { forfeiture } from "../ledger/posting.ts"
import { afterLoss } from "./claim.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { announceEnd, type Ended, recordEnd, refundIfOver } from "./ending.ts"
import type { Exchange } from "./exchange.ts"
import type { Finding } from "./findings.ts"
import { isAtStake, specOf } from "./payment.ts"
import { settleShard } from "./settlement.ts"
import type { ShardRow } from "./shard-row.ts"

/** How long a shard is kept from whose result for it was wrong, in cool-offs. */
const WRONG_FACTOR = 20

/** What the audit of a claim has come to. */
export interface Found {
  findings: readonly Finding[]
  /** Whether the agent did not show its states. */
  hidden: boolean
}

type Outcome = "settled" | "failed" | "undecided"

const RESULTS = { settled: "PASSED", failed: "FAILED", undecided: "WARNED" } as const

/** Pays a claim that was not drawn. */
export async function settleUnaudited(exchange: Exchange, claim: CommitmentRow): Promise<void> {
  const ended = await exchange.db.write(() => {
    if (!isOpen(exchange, claim)) return null
    exchange.commitments.conclude(claim, "settled")
    return settle(exchange, claim)
  })
  announce(exchange, claim, { outcome: "settled", ended })
}

/**
 * Ends an audit, all of it in one write: the signed verdict is logged, those who were right are paid, those who were wrong lose their bonds,
 * and a shard without a result that holds is offered anew.
 */
export async function conclude(exchange: Exchange, claim: CommitmentRow, found: Found): Promise<void> {
  const { db, commitments, ledger, identity } = exchange
  const outcome = outcomeOf(claim, found)
  const verdict = await signStatement(verdictStatement(verdictOf(exchange, claim, found, outcome)), identity)
  const ended = await db.write(() => {
    if (!isOpen(exchange, claim)) return null
    ledger.appendSigned(verdict, bundleDigest(verdict), identity.publicKey)
    const spec = specOf(exchange, claim.job)
    const owed = judgeAuditors(exchange, claim, found, () => verdict)
    commitments.conclude(claim, outcome, verdict)
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

function outcomeOf({ agent }: CommitmentRow, { findings, hidden }: Found): Outcome {
  if (
    hidden ||
    findings.some(({ found }) => found.kind === "agreed" && found.wrong.some(({ owner }) => owner === agent))
  )
    return "failed"
  return findings.every(({ found }) => found.kind === "agreed") ? "settled" : "undecided"
}

function wrongIn({ findings }: Found): Set<KeyId> {
  return new Set(
    findings.flatMap(({ found }) => (found.kind === "agreed" ? found.wrong.map(({ owner }) => owner) : [])),
  )
}

/** Pays the auditors, but for those who were wrong, and takes back what nobody has answered. @returns what they are paid in all. */
function judgeAuditors(
  exchange: Exchange,
  claim: CommitmentRow,
  found: Found,
  verdictOn: (answer: CommitmentRow) => Bundle | null,
): number {
  const { commitments, shards, offers, roster } = exchange
  const wrong = wrongIn(found)
  let owed = 0
  for (const row of shards.auditing(claim.proof)) {
    const answer = row.proof === null ? undefined : commitments.one(row.proof)
    if (answer?.state === "open") {
      const isWrong = wrong.has(row.auditor)
      commitments.conclude(answer, isWrong ? "failed" : "settled", verdictOn(answer))
      if (isWrong) shards.update(row, { state: "failed", epoch: row.epoch + 1 })
      else {
        settle(exchange, answer)
        owed += amountOf(commitments.handedIn(answer).charge)
      }
    } else if (row.state === "ready" || row.state === "leased") {
      shards.update(row, { state: "failed", epoch: row.epoch + 1, lost: "shard-cancelled" })
      for (const offer of offers.all().filter(({ job, index }) => job === row.job && index === row.index)) {
        offers.remove(offer)
        roster.send(offer.agent, { type: "withdrawn", offer: offer.id })
      }
      const { lease, epoch } = row
      if (row.state === "leased" && row.agent)
        roster.send(row.agent, { type: "cancel", lease, epoch, reason: "the audit is over" })
    }
  }
  return owed
}

/** Who has passed and who has failed by an audit, where a bond is at stake. */
function keepRecords(
  exchange: Exchange,
  claim: CommitmentRow,
  found: Found,
  { outcome, owed }: { outcome: Outcome; owed: number },
): void {
  // What cannot be run is said without a signature, so that nobody can be held to it.
  const signed = found.findings.flatMap(({ said }) => said).filter(({ answer }) => answer !== null)
  const wrong = [...wrongIn(found)].filter(
    agent => agent !== claim.agent && signed.some(({ owner }) => owner === agent),
  )
  // Whose answer somebody else has confirmed: of the auditors, all but the last.
  const confirmed = found.findings
    .flatMap(({ said }) => said.slice(0, -1))
    .filter(({ answer }) => answer !== null && answer.claim !== null)
  keep(exchange, claim, {
    passed: [...(outcome === "settled" ? [claim.agent] : []), ...confirmed.map(({ owner }) => owner)],
    failed: [...(outcome === "failed" ? [claim.agent] : []), ...wrong],
    owed,
  })
}

/** The first bonds that are lost pay for the audit. */
function keep(
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
  for (const agent of passed)
    if (!failed.includes(agent)) commitments.setRecord(agent, afterPass(commitments.record(agent)))
}

function settle(exchange: Exchange, taken: CommitmentRow): Ended | null {
  const shard = shardOf(exchange, taken)
  return settleShard(exchange, shard, { ...taken, ...exchange.commitments.handedIn(taken) }).ended
}

/** The shard is ready again, or failed once too often. */
function offerAnew(
  exchange: Exchange,
  claim: CommitmentRow,
  outcome: Exclude<Outcome, "settled">,
): Ended | null {
  const { jobs, shards, terms, clock } = exchange
  const shard = shardOf(exchange, claim)
  const after = afterLoss(shard, { cause: outcome === "failed" ? "refuted" : "undecided" }, terms)
  const state = jobs.one(claim.job)?.state === "failed" ? "failed" : after.state
  const nobody = {
    agent: null,
    slot: null,
    nonce: null,
    notAfter: null,
    proof: null,
    loss: null,
    step: 0,
    steps: 0,
  }
  const { epoch, attempt } = after
  shards.update(shard, { state, epoch, attempt, readyAt: clock(), ...nobody, checkpoint: null })
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

function verdictOf(
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
    policy: policyOf(specOf(exchange, job)),
    ...{ probability: probability ?? 1, checkpoint: checkpoint ?? "", hidden },
    parts: findings.map(auditedPart),
  }
}

function policyOf({ audit }: JobSpec): AuditVerdict["policy"] {
  return audit ?? { kind: "none" }
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
