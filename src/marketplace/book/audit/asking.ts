import { randomId } from "../../../protocol/handshake.ts"
import type { LeaseId } from "../../../protocol/lease.ts"
import { mostOf, priceOf } from "../../../protocol/price.ts"
import { partPrice } from "../../audit/cost.ts"
import { type Candidate, drawAuditor } from "../../audit/draw.ts"
import type { Exchange } from "../exchange.ts"
import { isContent, suits } from "../fit.ts"
import { specOf } from "../payment.ts"
import { placesOf } from "../places.ts"
import type { AuditRow } from "./audit-row.ts"
import { affords } from "./budget.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import type { Finding } from "./findings.ts"
import { kindOf } from "./kind.ts"

/**
 * Has one more agent run a part, inside a write: one that runs no other part of the claim, as long as there are enough.
 * @returns whether there was anybody, and credits for it.
 */
export function askOne(
  exchange: Exchange,
  claim: CommitmentRow,
  { part, said, isFurther }: Pick<Finding, "part" | "said" | "isFurther">,
): boolean {
  const { shards, audits, clock, log } = exchange
  const price = partPrice(priceOf(specOf(exchange, claim.job)), part.of)
  const rows = audits.auditing(claim.proof)
  const turn = rows.filter(row => row.part === part.number).length
  // Nobody compares a state of its own.
  const own = [part.number, part.compares?.segment]
  const heard = new Set(said.map(({ owner }) => owner))
  for (const row of rows) if (own.includes(row.part)) heard.add(row.auditor)
  const left = candidatesFor(exchange, claim, part).filter(({ agent }) => !heard.has(agent))
  const idle = left.filter(({ agent }) => rows.every(({ auditor }) => auditor !== agent))
  const candidates = idle.length > 0 ? idle : left
  const auditor = drawAuditor(exchange.commitments.seed(claim), { segment: part.number, turn }, candidates)
  // A further state is compared with those that are there.
  const runs = isFurther && part.within ? 1 + said.length : 1
  const cost = runs * mostOf(price, part.spec.limits.timeMs)
  if (auditor === null || !affords(exchange, claim.job, { cost, isFurther })) return false
  const { job, proof } = claim
  const { label } = shards.one(job, claim.index) ?? { label: "" }
  audits.add({
    ...{ job, label, spec: part.spec, price, readyAt: clock(), lease: randomId<LeaseId>() },
    ...{ claim: proof, part: part.number, turn, auditor, candidates, instead: null },
  })
  log.info({ event: "audit.asked", job, label, part: part.number, turn, auditor })
  return true
}

/** Agents of other owners that could run a part; where it has to come to equal bytes, on what computes alike. */
function candidatesFor(exchange: Exchange, claim: CommitmentRow, part: Finding["part"]): Candidate[] {
  const buyer = exchange.jobs.one(claim.job)?.owner
  const price = partPrice(priceOf(specOf(exchange, claim.job)), part.of)
  const pays = { price, timeMs: part.spec.limits.timeMs }
  const able = placesOf(exchange).filter(
    place =>
      place.agent !== buyer &&
      place.agent !== claim.agent &&
      suits(place, part.spec.resources) &&
      isContent(place, pays) &&
      (part.isForAll || kindOf(exchange, place.agent, place.slot) === claim.kind),
  )
  const agents = [...new Set(able.map(({ agent }) => agent))]
  return agents.map(agent => ({ agent, bond: exchange.ledger.balance(`bond:${agent}`) }))
}

/** Closes an audit whose auditor has not taken it for as long as a lease lasts, so that another one is drawn. Inside a write. */
export function closeUntaken({ shards, offers, terms, clock }: Exchange, rows: readonly AuditRow[]): boolean {
  const late = rows.filter(
    row => row.state === "ready" && !offers.has(row) && clock() - row.readyAt > terms.leaseMs,
  )
  for (const row of late)
    shards.update(row, { state: "failed", epoch: row.epoch + 1, lost: "offer-gone", readyAt: clock() })
  return late.length > 0
}
