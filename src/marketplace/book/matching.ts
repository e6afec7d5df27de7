import { randomId } from "../../protocol/handshake.ts"
import type { JobId, JobSpec, JobState } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { OfferId } from "../../protocol/lease.ts"
import { bidOf, priceOf } from "../../protocol/price.ts"
import { Auditors } from "./audit/auditors.ts"
import { giveCanary } from "./audit/canaries.ts"
import { isAudited } from "./audit/committing.ts"
import { endJob } from "./ending.ts"
import type { Exchange } from "./exchange.ts"
import { type Engagement, forbidden, missing, type Pair, type Pays, pair, type ReadyShard } from "./fit.ts"
import type { JobRow } from "./job-row.ts"
import type { Offer } from "./offers.ts"
import { placesOf } from "./places.ts"
import type { ShardRow } from "./shard-row.ts"

/** Since when no connected agent could run a job, in milliseconds since 1970. A restart begins the wait anew. */
export type UnmatchedSince = Map<JobId, number>

/** Offers ready shards to free slots. */
export function match(exchange: Exchange): void {
  const { shards, offers } = exchange
  const engaged = [...shards.leased(), ...offers.all()] as (Engagement & { slot: string })[]
  const busy = new Set(engaged.map(({ agent, slot }) => `${agent} ${slot}`))
  const places = placesOf(exchange)
  const free = places.filter(({ agent, slot }) => !busy.has(`${agent} ${slot.id}`))
  if (free.length === 0) return
  const now = exchange.clock()
  const barred = (shard: ReadyShard, agent: KeyId) => offers.isCooling(shard, agent, now)
  const ready = waiting(exchange, new Auditors(exchange, places))
  for (const found of pair({ ready, free, engaged, barred }))
    if (!giveCanary(exchange, found)) makeOffer(exchange, found)
}

function waiting(exchange: Exchange, auditors: Auditors): ReadyShard[] {
  const { shards, jobs, offers } = exchange
  const open = new Map(jobs.open().map(job => [job.id, job]))
  return shards.ready().flatMap(shard => {
    if (offers.has(shard)) return []
    if (shard.claim !== null) return [auditWaiting(exchange, shard)]
    const job = open.get(shard.job)
    if (!job) return []
    const { spec } = job
    const isAuditableAt = isAudited(spec)
      ? auditors.of(job, { isCut: shards.spec(shard).segments === "kept" })
      : anywhere
    return [{ ...shard, resources: spec.resources, pays: paysOf(spec), auditor: null, isAuditableAt }]
  })
}

function anywhere(): boolean {
  return true
}

/** It is paid though its job may be over meanwhile. */
function auditWaiting({ shards, audits }: Pick<Exchange, "shards" | "audits">, shard: ShardRow): ReadyShard {
  const { resources, limits } = shards.spec(shard)
  const price = shards.price(shard)
  if (!price) throw new Error(`an audit of ${shard.label} without a price`)
  const pays = { price, timeMs: limits.timeMs }
  return { ...shard, resources, pays, auditor: audits.auditorOf(shard), isAuditableAt: anywhere }
}

function paysOf(spec: JobSpec): Pays {
  return { price: priceOf(spec), timeMs: spec.limits.timeMs }
}

function makeOffer({ shards, offers, roster, watches, terms, clock, log }: Exchange, found: Pair): void {
  const { job, index, label, pays } = found.shard
  const { agent, slot } = found.place
  const price = bidOf(pays.price, slot.ask)
  const offer: Offer = {
    id: randomId<OfferId>(),
    agent,
    slot: slot.id,
    job,
    index,
    label,
    price,
    until: clock() + terms.offerMs,
  }
  offers.add(offer)
  roster.send(agent, { type: "offer", offer: offer.id, job, label, spec: shards.spec({ job, index }), price })
  watches.changed(job)
  log.debug({ event: "shard.offered", job, label, agent })
}

/** Brings every open job's state and reason up to date, and ends those that waited too long for an agent. */
export async function judgeJobs(exchange: Exchange, since: UnmatchedSince): Promise<void> {
  const places = placesOf(exchange)
  const auditors = new Auditors(exchange, places)
  const leased = new Set(exchange.shards.leased().map(({ job }) => job))
  const refused = refusedReady(exchange)
  for (const job of exchange.jobs.open()) {
    const { resources } = job.spec
    const pays = paysOf(job.spec)
    const ruleOf = (shard: Target, agent: KeyId) => exchange.refusals.of(shard, agent)
    const why = () =>
      missing(resources, places, pays) ??
      auditors.missing(job) ??
      forbidden({ resources, pays }, places, refused.get(job.id) ?? [], ruleOf)
    const lacking = leased.has(job.id) ? null : why()
    await judge(exchange, job, { lacking, leased: leased.has(job.id) })
    if (lacking === null) since.delete(job.id)
    else await endOverdue(exchange, job, lacking, since)
  }
}

type Target = Pick<ReadyShard, "job" | "index">

/** The ready shards of the jobs that owners' rules have something against. */
function refusedReady({ shards, refusals }: Exchange): Map<JobId, Target[]> {
  return Map.groupBy(
    shards.ready().filter(({ job }) => refusals.has(job)),
    ({ job }) => job,
  )
}

async function judge(exchange: Exchange, job: JobRow, seen: { lacking: string | null; leased: boolean }) {
  const { settled } = exchange.shards.count(job.id)
  const { state, reason } = standing({ ...seen, begun: job.state === "running" || settled > 0 })
  if (job.state === state && job.reason === reason) return
  await exchange.db.write(() => {
    // It may have ended since it was read.
    const now = exchange.jobs.one(job.id)?.state
    if (now === "waiting" || now === "running") exchange.jobs.setState(job.id, state, reason)
  })
  exchange.watches.changed(job.id)
}

/** The state of a job that is neither done nor failed. */
export function standing(seen: { lacking: string | null; leased: boolean; begun: boolean }): {
  state: JobState
  reason: string | null
} {
  if (seen.lacking !== null) return { state: "waiting", reason: seen.lacking }
  if (seen.leased || seen.begun) return { state: "running", reason: null }
  return { state: "waiting", reason: "waits for a free slot" }
}

async function endOverdue(exchange: Exchange, job: JobRow, lacking: string, since: UnmatchedSince) {
  const now = exchange.clock()
  const began = since.get(job.id) ?? now
  since.set(job.id, began)
  if (now - began < exchange.terms.unmatchedMs) return
  since.delete(job.id)
  await endJob(exchange, job.id, { state: "failed", reason: `job-unmatched: ${lacking}` })
}
