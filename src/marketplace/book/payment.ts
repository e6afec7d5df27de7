import { MicroCredits } from "../../protocol/credits.ts"
import type { Digest } from "../../protocol/digest.ts"
import type { JobId, JobSpec, Royalty } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import { amountOf, type Charge, chargeOf, priceOf } from "../../protocol/price.ts"
import { type ReceiptStatement, receiptStatement } from "../../protocol/receipt.ts"
import { heldBack } from "../audit/bond.ts"
import type { Stake } from "../audit/trust.ts"
import { type SettledShard, settlement, shareOf, withRoyalties } from "../ledger/posting.ts"
import type { Exchange } from "./exchange.ts"
import type { ShardRow } from "./shard-row.ts"

/** What a job owes for a shard: never more time than passed here between grant and proof, nor than its limit. */
export function chargeFor(
  exchange: Exchange,
  shard: ShardRow,
  { ranMs, arrivedAt }: { ranMs: number; arrivedAt: number },
): Charge {
  const { shards } = exchange
  const seenMs = Math.max(0, Math.floor(arrivedAt - (shard.grantedAt ?? arrivedAt)))
  const { limits } = shards.spec(shard)
  const price = shards.price(shard) ?? priceOf(specOf(exchange, shard.job))
  return chargeOf(price, Math.min(ranMs, seenMs, limits.timeMs))
}

/** @throws Error for a job that is not there, because its shards were. */
export function specOf({ jobs }: Exchange, job: JobId): JobSpec {
  const spec = jobs.one(job)?.spec
  if (!spec) throw new Error(`a shard of ${job}, which is not there`)
  return spec
}

/** What is paid: whose shard, under which lease, by which proof. */
export interface Paid extends SettledShard {
  lease: LeaseId
  proof: Digest
}

/** Whether an agent has a bond at stake under this job: only where its image is one that the marketplace vouches for. */
export function isAtStake({ terms }: Pick<Exchange, "terms">, { audit, image }: JobSpec): boolean {
  return audit !== undefined && audit.kind !== "none" && terms.vouched.includes(image.digest)
}

/** What an agent has to lose over something of this price under a job: nothing where it has no bond at stake. */
export function stakeOf(
  exchange: Pick<Exchange, "terms" | "ledger">,
  agent: KeyId,
  spec: JobSpec,
  price: number,
): Stake {
  return { bond: isAtStake(exchange, spec) ? exchange.ledger.balance(`bond:${agent}`) : 0, price }
}

/** Pays host, marketplace and owners of data out of the job's escrow, and says so in a receipt. */
export function pay(
  exchange: Exchange,
  about: Paid,
  charge: Charge,
  royalties: readonly Royalty[] = [],
): { receipt: ReceiptStatement; cost: MicroCredits } {
  const { ledger, identity, terms, clock } = exchange
  const { feeBasisPoints } = terms
  const { job, lease, agent, proof } = about
  const amount = amountOf(charge)
  const paid = MicroCredits.parse(amount - shareOf(amount, feeBasisPoints))
  const spec = specOf(exchange, job)
  const stake = stakeOf(exchange, agent, spec, amount)
  const bond = isAtStake(exchange, spec) ? heldBack(paid, stake, terms.audit) : 0
  const place = ledger.append(settlement(about, charge, { feeBasisPoints, royalties, bond }))
  const receipt = receiptStatement({
    proof,
    market: identity.keyId,
    at: new Date(clock()).toISOString(),
    settlement: { job, lease, agent, paid, charge, ledger: place },
  })
  return { receipt, cost: MicroCredits.parse(withRoyalties(amount, royalties)) }
}
