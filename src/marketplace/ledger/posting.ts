import type { Leg, Posting } from "../../protocol/books.ts"
import type { MicroCredits } from "../../protocol/credits.ts"
import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Account, PostingKind } from "../../protocol/ledger-entry.ts"

const BASIS = 10_000

/** The marketplace's share of a price, rounded down. */
export function feeOf(price: number, feeBasisPoints: number): number {
  // Split so that no product leaves the exact integers.
  return Math.floor(price / BASIS) * feeBasisPoints + Math.floor(((price % BASIS) * feeBasisPoints) / BASIS)
}

export function grant(identity: KeyId, amount: MicroCredits): Posting {
  return move("grant", { identity }, "issuer", `identity:${identity}`, amount)
}

export function submission(owner: KeyId, job: JobId, amount: number): Posting {
  return move("submission", { owner, job }, `identity:${owner}`, `escrow:${job}`, amount)
}

export function refund(owner: KeyId, job: JobId, amount: number): Posting {
  return move("refund", { owner, job }, `escrow:${job}`, `identity:${owner}`, amount)
}

export interface SettledShard {
  job: JobId
  agent: KeyId
  lease: string
  proof: string
}

export function settlement(about: SettledShard, price: number, feeBasisPoints: number): Posting {
  const fee = feeOf(price, feeBasisPoints)
  const legs: Leg[] = [
    { account: `escrow:${about.job}`, amount: -price },
    { account: `identity:${about.agent}`, amount: price - fee },
    { account: "market", amount: fee },
  ]
  return { kind: "settlement", about: { ...about }, legs: legs.filter(({ amount }) => amount !== 0) }
}

function move(
  kind: PostingKind,
  about: Posting["about"],
  from: Account,
  to: Account,
  amount: number,
): Posting {
  const legs = [
    { account: from, amount: -amount },
    { account: to, amount },
  ]
  return { kind, about, legs: amount === 0 ? [] : legs }
}
