import type { Account, PostingEntry } from "./ledger-entry.ts"

/** Credits that move at once: what leaves some accounts enters others. */
export type Posting = Omit<PostingEntry["spec"], "at">

/** One account's part of a posting, in micro-credits; below zero for what leaves it. */
export type Leg = Posting["legs"][number]

const CHARGED = ["work", "bond", "fee"]

/** What a settlement takes for the host's work and the marketplace's fee, in micro-credits; royalties come on top. */
export function chargedBy(legs: readonly Leg[]): number {
  const counted = legs.filter(({ for: purpose = "" }) => CHARGED.includes(purpose))
  return counted.reduce((sum, { amount }) => sum + amount, 0)
}

/**
 * What keeps books sound, at the marketplace and at whoever reads its ledger: whole numbers, a sum of zero, and no account but the issuer
 * below zero.
 * @param balanceOf the account before this posting.
 * @returns what is wrong with a posting; null when nothing is.
 */
export function unsoundness({ kind, legs }: Posting, balanceOf: (account: Account) => number): string | null {
  if (legs.some(({ amount }) => !Number.isSafeInteger(amount))) return `a ${kind} posting moves a fraction`
  if (legs.reduce((sum, { amount }) => sum + BigInt(amount), 0n) !== 0n)
    return `a ${kind} posting does not sum to zero`
  const after = new Map<Account, number>()
  for (const { account, amount } of legs)
    after.set(account, (after.get(account) ?? balanceOf(account)) + amount)
  const overdrawn = [...after].find(([account, balance]) => balance < 0 && account !== "issuer")
  return overdrawn ? `a ${kind} posting overdraws ${overdrawn[0]}` : null
}
