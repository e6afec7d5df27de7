import type { Held } from "../../protocol/message.ts"
import type { Peer } from "../gateway/roster.ts"
import { whyOver } from "./claim.ts"
import type { Exchange } from "./exchange.ts"
import { lose } from "./leases.ts"
import type { ShardRow } from "./shard-row.ts"

/**
 * Makes the book and an agent agree on its leases, as it announces itself in a new session. What it does not know of, because the
 * lease never reached it or it lost its journal, is ready again at once; what is no longer its own is cancelled. A lease that was
 * granted in this very session may still be under way to the agent, and stays.
 */
export async function reconcile(exchange: Exchange, peer: Peer, holding: readonly Held[]): Promise<void> {
  const { shards } = exchange
  const held = new Set(holding.map(keyOf))
  const unheld = (shard: ShardRow | undefined) =>
    shard?.state === "leased" &&
    shard.agent === peer.agent &&
    !peer.granted.has(shard.lease) &&
    !held.has(keyOf(shard))
      ? shard
      : null
  for (const { job, index } of shards.leased().filter(unheld))
    await lose(exchange, () => unheld(shards.one(job, index)), { cause: "unheld" })
  for (const { lease, epoch } of holding) {
    const reason = whyOver(shards.byLease(lease), peer.agent, epoch)
    if (reason !== null) peer.send({ type: "cancel", lease, epoch, reason })
  }
}

function keyOf({ lease, epoch }: Held): string {
  return `${lease} ${epoch}`
}
