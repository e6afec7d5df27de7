import { Fault, isFault } from "../../protocol/fault.ts"
import { randomId } from "../../protocol/handshake.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Nonce } from "../../protocol/lease.ts"
import type { ClientFrameOf, DeclineReason, Held, MarketMessage, Rule } from "../../protocol/message.ts"
import type { Peer } from "../gateway/roster.ts"
import { afterLoss, claimed, type Loss } from "./claim.ts"
import { announceEnd, recordEnd, refundIfOver } from "./ending.ts"
import type { Exchange } from "./exchange.ts"
import type { Offer } from "./offers.ts"
import type { ShardRow } from "./shard-row.ts"

/** A reason to decline that will still hold in a while keeps the shard away for longer. */
const LASTING: readonly DeclineReason[] = ["too-large", "not-allowed", "failing"]
const LASTING_FACTOR = 20

/** @throws Fault `offer-gone` */
export async function accept(exchange: Exchange, peer: Peer, id: Offer["id"]): Promise<MarketMessage> {
  const { db, offers, shards, roster, terms, clock, log } = exchange
  const { agent } = peer
  const offer = offers.get(id, agent)
  if (!offer) throw gone()
  // It stays open while the lease is written, so that the shard is not offered again meanwhile.
  offer.until = Number.POSITIVE_INFINITY
  try {
    const leased = await db.write(() => {
      const shard = shards.one(offer.job, offer.index)
      // Once the agent serves through a newer session, nobody in this one would hear of the lease.
      if (shard?.state !== "ready" || !roster.serves(peer)) throw gone()
      const grantedAt = clock()
      const notAfter = grantedAt + terms.leaseMs
      const nonce = randomId<Nonce>()
      const checkpoint = shards.checkpoint(shard)
      shards.update(shard, {
        ...{ state: "leased", nonce, agent, slot: offer.slot },
        ...{ grantedAt, grantedUntil: notAfter, notAfter, price: JSON.stringify(offer.price) },
        beganFrom: checkpoint && JSON.stringify(checkpoint),
      })
      peer.granted.add(shard.lease)
      return shards.assignment({ ...shard, nonce, grantedUntil: notAfter })
    })
    log.info({ event: "shard.leased", job: offer.job, label: offer.label, agent, lease: leased.lease.id })
    return { type: "lease", offer: id, ...leased }
  } finally {
    offers.remove(offer)
    exchange.watches.changed(offer.job)
    exchange.wake()
  }
}

/** @throws Fault `offer-gone` */
export function decline(
  exchange: Exchange,
  agent: KeyId,
  { offer: id, reason, rule }: { offer: Offer["id"]; reason: DeclineReason; rule?: Rule | undefined },
): void {
  const offer = exchange.offers.get(id, agent)
  if (!offer) throw gone()
  if (reason === "not-allowed" && rule) exchange.refusals.add(offer, agent, rule)
  if (reason === "draining") exchange.roster.drain(agent)
  withdraw(exchange, offer, LASTING.includes(reason) ? LASTING_FACTOR : 1)
}

/** Takes back offers that nobody answered. */
export function withdrawOverdue(exchange: Exchange): void {
  const now = exchange.clock()
  for (const offer of exchange.offers.all().filter(({ until }) => until <= now)) {
    withdraw(exchange, offer)
    exchange.roster.send(offer.agent, { type: "withdrawn", offer: offer.id })
  }
}

/** Takes back an agent's offers, because it drains or is gone. */
export function withdrawFrom(exchange: Exchange, agent: KeyId): void {
  for (const offer of exchange.offers.all().filter(offer => offer.agent === agent)) {
    withdraw(exchange, offer)
    exchange.roster.send(agent, { type: "withdrawn", offer: offer.id })
  }
}

function withdraw({ offers, terms, clock, watches, wake }: Exchange, offer: Offer, factor = 1): void {
  offers.remove(offer)
  offers.cool(offer, offer.agent, clock() + terms.coolOffMs * factor)
  watches.changed(offer.job)
  wake()
}

/** @throws Fault `lease-unknown` or `lease-stale` */
export async function renew(exchange: Exchange, agent: KeyId, held: Held): Promise<MarketMessage> {
  const { db, terms, clock, shards } = exchange
  const notAfter = clock() + terms.leaseMs
  await db.write(() => shards.update(claim(exchange, agent, held), { notAfter }))
  return { type: "renewed", lease: held.lease, epoch: held.epoch, notAfter: new Date(notAfter).toISOString() }
}

/** @throws Fault `lease-unknown` or `lease-stale` */
export function report(exchange: Exchange, agent: KeyId, frame: ClientFrameOf<"progress">): void {
  const { step, steps, loss } = frame
  const shard = claim(exchange, agent, frame)
  exchange.progress.set(shard, { step, steps, loss })
  exchange.watches.changed(shard.job)
}

/** Gives a lease back. One that is not held any more is answered the same, so that an agent can repeat itself until it is heard. */
export async function abandon(
  exchange: Exchange,
  agent: KeyId,
  { lease, epoch, code, message }: ClientFrameOf<"abandon">,
): Promise<MarketMessage> {
  const held = () => {
    try {
      return claim(exchange, agent, { lease, epoch })
    } catch (error) {
      if (isFault(error, "lease-unknown", "lease-stale")) return null
      throw error
    }
  }
  await lose(exchange, held, { cause: "abandoned", code, message })
  return { type: "abandoned", lease, epoch }
}

/** Makes every shard whose lease ran out ready again, and tells the holder. */
export async function expireLeases(exchange: Exchange): Promise<void> {
  const { shards, roster, clock } = exchange
  const overdue = (shard: ShardRow | undefined) =>
    shard?.state === "leased" && (shard.notAfter ?? 0) < clock() ? shard : null
  for (const { job, index, agent, lease, epoch } of shards.leased().filter(overdue)) {
    // A renewal may have been written meanwhile, so it is looked at again inside the write.
    const lost = await lose(exchange, () => overdue(shards.one(job, index)), { cause: "expired" })
    if (lost && agent) roster.send(agent, { type: "cancel", lease, epoch, reason: "the lease ran out" })
  }
}

/** At the marketplace's start: it was away, not the holders, so nobody loses a lease that could not be renewed. */
export async function extendLeases({ db, shards, terms, clock }: Exchange): Promise<void> {
  const notAfter = clock() + terms.leaseMs
  await db.write(() => {
    for (const shard of shards.leased())
      shards.update(shard, { notAfter: Math.max(notAfter, shard.notAfter ?? 0) })
  })
}

/** Takes the shard that `find` gives, inside the write, from its holder; whether there was one. */
export async function lose(exchange: Exchange, find: () => ShardRow | null, loss: Loss): Promise<boolean> {
  const { db, shards, offers, terms, clock, watches, progress, log } = exchange
  const result = await db.write(() => {
    const shard = find()
    if (!shard) return null
    if (shard.claim !== null) {
      // Another auditor is drawn.
      const lost = loss.cause === "abandoned" ? loss.code : "lease-expired"
      shards.update(shard, { state: "failed", epoch: shard.epoch + 1, lost, readyAt: clock() })
      refundIfOver(exchange, shard.job)
      return { shard, ended: null }
    }
    const after = afterLoss(shard, loss, terms)
    const { state, epoch, attempt } = after
    // What failed by itself may fail because of where it began.
    const forgotten = attempt > shard.attempt ? { checkpoint: null } : {}
    const nobody = { agent: null, slot: null, nonce: null, notAfter: null }
    shards.update(shard, { state, epoch, attempt, readyAt: clock(), ...nobody, ...forgotten })
    const ended =
      after.state === "failed" ? { state: after.state, reason: `job-failed: ${after.reason}` } : null
    return { shard, ended: ended && recordEnd(exchange, shard.job, ended) }
  })
  if (!result) return false
  const { shard, ended } = result
  progress.forget(shard)
  if (shard.agent) offers.cool(shard, shard.agent, clock() + terms.coolOffMs)
  log.warn({ event: `lease.${loss.cause}`, job: shard.job, label: shard.label, agent: shard.agent, ...loss })
  watches.changed(shard.job)
  announceEnd(exchange, ended)
  exchange.wake()
  return true
}

function claim({ shards, clock }: Exchange, agent: KeyId, { lease, epoch }: Held): ShardRow {
  return claimed(shards.byLease(lease), agent, epoch, clock())
}

function gone(): Fault {
  return new Fault("offer-gone", "This offer is not open any more.", {
    hint: "Wait for the next one; offers come as long as your capacity is announced.",
  })
}
