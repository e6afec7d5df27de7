import { randomBytes } from "node:crypto"
import { canaryStatement } from "../../../protocol/canary.ts"
import { randomId } from "../../../protocol/handshake.ts"
import type { JobId } from "../../../protocol/job.ts"
import type { LeaseId } from "../../../protocol/lease.ts"
import { mostOf } from "../../../protocol/price.ts"
import { type Bundle, bundleDigest, signStatement } from "../../../protocol/statement.ts"
import { chance, drawSegments, seedOfCanary } from "../../audit/draw.ts"
import { auditProbability } from "../../audit/trust.ts"
import type { Exchange } from "../exchange.ts"
import type { Pair, ReadyShard } from "../fit.ts"
import { specOf, stakeOf } from "../payment.ts"
import { affords } from "./budget.ts"
import type { CommitmentRow } from "./commitment-row.ts"

/** While an agent is audited more often, its shards are run again afterwards: that is what makes answers known. */
const MOST_CANARIES = 1 / 2

/** What draws a job's canaries, and the statement that commits the marketplace to it. */
export interface Secret {
  secret: Uint8Array
  commitment: Bundle
}

export async function newSecret(exchange: Exchange, job: JobId): Promise<Secret> {
  const secret = randomBytes(32)
  return { secret, commitment: await signed(exchange, job, secret, false) }
}

/** Inside a write. */
export function keepSecret(
  { canaries, ledger, identity }: Exchange,
  job: JobId,
  { secret, commitment }: Secret,
): void {
  canaries.add(job, Buffer.from(secret).toString("hex"), commitment)
  ledger.appendSigned(commitment, bundleDigest(commitment), identity.publicKey)
}

/** Tells the secrets of jobs that are over, so that anyone can repeat their draws. */
export async function tellSecrets(exchange: Exchange): Promise<void> {
  const { db, canaries, ledger, identity } = exchange
  for (const { job, secret } of canaries.untold()) {
    const told = await signed(exchange, job, Buffer.from(secret, "hex"), true)
    await db.write(() => {
      ledger.appendSigned(told, bundleDigest(told), identity.publicKey)
      canaries.tell(job, told)
    })
  }
}

/**
 * Gives an agent a shard whose result is known in the place of a new one, where its job has canaries and this lease is drawn for one.
 * The new one is offered as soon as the agent has a free slot again.
 * @returns whether it does.
 */
export function giveCanary(exchange: Exchange, { shard, place }: Pair): boolean {
  const known = canaryFor(exchange, { shard, place })
  if (known === null) return false
  const { db, log, wake } = exchange
  const given = db.write(() => {
    if (canaryFor(exchange, { shard, place })?.proof !== known.proof) return
    addCanary(exchange, known, { shard, place })
    wake()
  })
  // The next look gives it.
  given.catch(error => log.warn({ event: "canary.ungiven", message: (error as Error).message }))
  return true
}

/** Whether a claim's lease was drawn for a canary before it was granted, so that it is not drawn once more. */
export function hasBeenDrawn(
  exchange: Exchange,
  { job, lease, epoch, agent, index }: CommitmentRow,
  probability: number,
): boolean {
  const { commitments, canaries, shards } = exchange
  if (canaries.secret(job) === undefined || probability > MOST_CANARIES) return false
  const granted = shards.one(job, index)?.grantedAt ?? 0
  return canaries.isGiven(agent, `${lease}/${epoch}`) || commitments.confirmed(job, agent, granted).length > 0
}

function canaryFor(exchange: Exchange, { shard, place }: Pair): CommitmentRow | null {
  const { commitments, canaries, terms, clock } = exchange
  const { job, lease, epoch, auditor, pays } = shard
  const { agent } = place
  const secret = auditor === null ? canaries.secret(job) : undefined
  if (secret === undefined || canaries.isGiven(agent, `${lease}/${epoch}`)) return null
  const spec = specOf(exchange, job)
  const price = mostOf(pays.price, pays.timeMs)
  const stake = stakeOf(exchange, agent, spec, price)
  const share = spec.audit?.kind === "canary" ? spec.audit.share : 0
  const probability = auditProbability(commitments.record(agent), stake, terms.audit, share)
  const seed = seedOfCanary(Buffer.from(secret, "hex"), lease)
  // Of a leases, p are canaries when each new one has p / (1 - p) of them before it.
  if (probability > MOST_CANARIES || chance(seed) >= probability / (1 - probability)) return null
  const known = commitments.confirmed(job, agent, clock())
  if (known.length === 0 || !affords(exchange, job, { cost: price, isFurther: true })) return null
  return known[drawSegments(seed, known.length, 1)[0] as number] as CommitmentRow
}

function addCanary(
  { commitments, shards, audits, clock }: Exchange,
  known: CommitmentRow,
  { shard, place }: { shard: ReadyShard; place: Pair["place"] },
): void {
  const { job, proof, index } = known
  const [part] = commitments.parts(known) ?? []
  const row = shards.one(job, index)
  if (!part || !row) throw new Error(`${proof} is known, and nothing of it can be run again`)
  const rows = audits.auditing(proof)
  audits.add({
    ...{ job, label: row.label, spec: part.spec, price: shard.pays.price, readyAt: clock() },
    ...{ lease: randomId<LeaseId>(), claim: proof, part: part.number, turn: rows.length },
    ...{ auditor: place.agent, candidates: [], instead: `${shard.lease}/${shard.epoch}` },
  })
}

function signed(
  { identity, clock }: Exchange,
  job: JobId,
  secret: Uint8Array,
  isTold: boolean,
): Promise<Bundle> {
  const about = { market: identity.keyId, job, at: new Date(clock()).toISOString(), secret }
  return signStatement(canaryStatement(about, isTold), identity)
}
