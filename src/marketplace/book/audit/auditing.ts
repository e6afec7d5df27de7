import type { Digest } from "../../../protocol/digest.ts"
import { isFault } from "../../../protocol/fault.ts"
import { chance } from "../../audit/draw.ts"
import { comparison, type Part } from "../../plans/parts.ts"
import type { Exchange } from "../exchange.ts"
import { askOne, closeUntaken } from "./asking.ts"
import { tellSecrets } from "./canaries.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { conclude, concludeLate, settleUnaudited } from "./concluding.ts"
import { shardOf } from "./consequences.ts"
import { type Finding, findingsOf, isOver } from "./findings.ts"
import { probabilityOf } from "./odds.ts"
import { partsOf } from "./reveal.ts"

/** Brings every claim that is not decided one step further: drawn, shown, run again by others, concluded. Doing it again is harmless. */
export async function auditOpen(exchange: Exchange): Promise<void> {
  const { commitments } = exchange
  const drawn = commitments.openClaims().filter(({ checkpoint }) => checkpoint !== null)
  for (const claim of drawn) await apart(exchange, claim.proof, () => advance(exchange, claim))
  const late = new Set(commitments.openLate().flatMap(({ claim }) => claim ?? []))
  for (const claim of late) await apart(exchange, claim, () => judgeCanaries(exchange, claim))
  await tellSecrets(exchange)
}

/** What is wrong with one claim stops no other one, and nothing else that the marketplace does. */
async function apart({ log }: Exchange, proof: Digest, step: () => Promise<void>): Promise<void> {
  try {
    await step()
  } catch (error) {
    if (isFault(error)) log.warn({ event: "audit.stuck", proof, code: error.code, message: error.message })
    else log.error({ event: "audit.bug", proof, err: error })
  }
}

/** Answers to what was decided before: they count beside those that decided it. */
async function judgeCanaries(exchange: Exchange, proof: Digest): Promise<void> {
  const { db, commitments } = exchange
  const claim = commitments.one(proof)
  const parts = claim && commitments.parts(claim)
  if (!claim || !parts) throw new Error(`an answer to ${proof}, of which nothing is run again`)
  const findings = (await findingsOf(exchange, claim, parts)).map(withoutFurther)
  if (await db.write(() => ask(exchange, claim, findings))) return exchange.wake()
  if (findings.every(finding => isOver(exchange, claim, finding)))
    await concludeLate(exchange, claim, findings)
}

/** What a canary agrees with is known already, so that nobody audits such an answer again; and no canary waits for another one. */
function withoutFurther(finding: Finding): Finding {
  const pending = finding.pending.filter(({ instead }) => instead === null)
  return { ...finding, pending, ...(finding.found.kind === "agreed" && { more: 0 }) }
}

async function advance(exchange: Exchange, claim: CommitmentRow): Promise<void> {
  const { db, commitments, clock, log } = exchange
  if (claim.auditedAt === null) {
    // A failure of this agent since it was handed in counts: until it is settled, it is drawn by what is known.
    const probability = probabilityOf(exchange, claim)
    if (chance(exchange.commitments.seed(claim)) >= probability) {
      if (!commitments.waitsFor(claim)) await settleUnaudited(exchange, claim)
      return
    }
    await db.write(() => commitments.audit(claim, probability, clock()))
    const { job, agent, proof } = claim
    log.info({ event: "audit.drawn", job, label: shardOf(exchange, claim).label, agent, proof, probability })
    return
  }
  const parts = commitments.parts(claim)
  if (parts === null) return reveal(exchange, claim, claim.auditedAt)
  const findings = await findingsOf(exchange, claim, parts)
  const isAsking = await db.write(() => ask(exchange, claim, findings))
  if (isAsking) return exchange.wake()
  if (findings.every(finding => isOver(exchange, claim, finding)))
    await conclude(exchange, claim, { findings, hidden: false })
}

async function reveal(exchange: Exchange, claim: CommitmentRow, since: number): Promise<void> {
  const { db, commitments, terms, clock } = exchange
  const parts = await partsOf(exchange, claim)
  if (parts) await db.write(() => commitments.ask(claim, parts))
  else if (clock() - since > terms.revealMs) await conclude(exchange, claim, { findings: [], hidden: true })
  else return
  exchange.wake()
}

/** @returns whether anybody was asked, or an auditor given up. Inside a write. */
function ask(exchange: Exchange, claim: CommitmentRow, findings: readonly Finding[]): boolean {
  let hasChanged = false
  const compared = comparisonsIn(findings)
  if (compared.length > 0) {
    exchange.commitments.ask(claim, [...findings.map(({ part }) => part), ...compared])
    return true
  }
  for (const finding of findings) {
    if (finding.isBlocked) continue
    if (closeUntaken(exchange, finding.pending)) hasChanged = true
    else if (finding.more > finding.pending.length && askOne(exchange, claim, finding)) hasChanged = true
  }
  return hasChanged
}

/** The states that nobody has compared yet, as parts of their own. */
function comparisonsIn(findings: readonly Finding[]): Part[] {
  const next =
    Math.max(...findings.map(({ part }) => part.number), ...findings.map(({ part }) => part.of)) + 1
  return findings
    .flatMap(({ part, uncompared }) => uncompared.map(pair => ({ part, pair })))
    .map(({ part, pair }, place) => comparison(part, pair, next + place))
}
