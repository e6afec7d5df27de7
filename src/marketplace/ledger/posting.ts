import type { MicroCredits } from "../../protocol/credits.ts"
import type { JobId } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"

export type Account = "issuer" | "market" | `identity:${KeyId}` | `escrow:${JobId}`

/** One account's part of a posting, in micro-credits; negative leaves the account. */
export interface Leg {
  account: Account
  amount: number
}

export type PostingKind = "grant" | "submission" | "settlement" | "refund"

/** Credits that move at once: what leaves some accounts enters others. */
export interface Posting {
  kind: PostingKind
  /** What the posting is about: identity, job, lease, proof. */
  about: Record<string, string>
  legs: Leg[]
}

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

/**
 * The one place that keeps the books sound: whole numbers, a sum of zero, and no account but the issuer below zero.
 * @throws Error, because a posting that breaks this is a bug of the marketplace.
 */
export function checkSound({ kind, legs }: Posting, balanceOf: (account: Account) => number): void {
  const after = new Map<Account, number>()
  for (const { account, amount } of legs)
    after.set(account, (after.get(account) ?? balanceOf(account)) + amount)
  if (legs.some(({ amount }) => !Number.isSafeInteger(amount)))
    throw new Error(`a ${kind} posting moves a fraction`)
  if (legs.reduce((sum, { amount }) => sum + BigInt(amount), 0n) !== 0n)
    throw new Error(`a ${kind} posting does not sum to zero`)
  for (const [account, balance] of after)
    if (balance < 0 && account !== "issuer") throw new Error(`a ${kind} posting overdraws ${account}`)
}
