import type { Leg, Posting } from "../../protocol/books.ts"
import type { MicroCredits } from "../../protocol/credits.ts"
import type { JobId, PaidFrom, Royalty } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { amountOf, type Charge, chargeText } from "../../protocol/price.ts"
import type { Forfeit } from "../audit/bond.ts"

const BASIS = 10_000

/** So many hundredths of a percent of an amount, rounded down. */
export function shareOf(amount: number, basisPoints: number): number {
  // Split so that no product leaves the exact integers.
  return Math.floor(amount / BASIS) * basisPoints + Math.floor(((amount % BASIS) * basisPoints) / BASIS)
}

/** What an amount comes to with its royalties, each rounded down: what is lost so stays in escrow, and goes back to the buyer. */
export function withRoyalties(amount: number, royalties: readonly Royalty[]): number {
  return royalties.reduce((sum, { shareBasisPoints }) => sum + shareOf(amount, shareBasisPoints), amount)
}

export function grant(identity: KeyId, amount: MicroCredits): Posting {
  const legs: Leg[] = [
    { account: "issuer", amount: -amount },
    { account: `identity:${identity}`, amount },
  ]
  return { kind: "grant", about: { identity }, legs: moving(legs) }
}

export function submission(owner: KeyId, job: JobId, { granted, earned }: PaidFrom): Posting {
  const legs: Leg[] = [
    { account: `identity:${owner}`, amount: -granted },
    { account: `earned:${owner}`, amount: -earned },
    { account: `escrow:${job}`, amount: granted + earned },
  ]
  return { kind: "submission", about: { owner, job }, legs: moving(legs) }
}

/** What is left goes back to where it came from: what was earned had been spent last, and goes back first. */
export function refund(owner: KeyId, job: JobId, rest: number, paidFrom: PaidFrom): Posting {
  const earned = Math.min(rest, paidFrom.earned)
  const legs: Leg[] = [
    { account: `escrow:${job}`, amount: -rest },
    { account: `earned:${owner}`, amount: earned },
    { account: `identity:${owner}`, amount: rest - earned },
  ]
  return { kind: "refund", about: { owner, job }, legs: moving(legs) }
}

export interface SettledShard {
  job: JobId
  agent: KeyId
  lease: string
  proof: string
}

/** What is added to a shard's charge, and what is taken from its host. */
export interface Shares {
  feeBasisPoints: number
  royalties?: readonly Royalty[]
  /** What of the host's pay is kept back, in micro-credits. */
  bond?: number
}

export function settlement(about: SettledShard, charge: Charge, shares: Shares): Posting {
  const paid = payments(about.agent, amountOf(charge), shares)
  const total = paid.reduce((sum, { amount }) => sum + amount, 0)
  const legs: Leg[] = [{ account: `escrow:${about.job}`, amount: -total }, ...paid]
  return { kind: "settlement", about: { ...about, ...chargeText(charge) }, legs: moving(legs) }
}

/** Who gets what for an amount of work. */
function payments(agent: KeyId, amount: number, { feeBasisPoints, royalties = [], bond = 0 }: Shares): Leg[] {
  const fee = shareOf(amount, feeBasisPoints)
  return [
    { account: `earned:${agent}`, amount: amount - fee - bond, for: "work" },
    { account: `bond:${agent}`, amount: bond, for: "bond" },
    { account: "market", amount: fee, for: "fee" },
    ...royalties.map(({ to, shareBasisPoints, for: name }): Leg => {
      return {
        account: `earned:${to}`,
        amount: shareOf(amount, shareBasisPoints),
        for: `royalty/${name}`,
      }
    }),
  ]
}

/** A bond that is lost by a wrong result: what its audits cost goes back to the job, and nobody gets the rest. */
export function forfeiture(
  about: Pick<SettledShard, "agent" | "job" | "proof">,
  { paid, destroyed }: Pick<Forfeit, "paid" | "destroyed">,
): Posting {
  const legs: Leg[] = [
    { account: `bond:${about.agent}`, amount: -(paid + destroyed) },
    { account: `escrow:${about.job}`, amount: paid },
    { account: "issuer", amount: destroyed },
  ]
  return { kind: "forfeit", about, legs: moving(legs) }
}

/** A bond that is paid out. */
export function release(agent: KeyId, amount: number): Posting {
  const legs: Leg[] = [
    { account: `bond:${agent}`, amount: -amount },
    { account: `earned:${agent}`, amount },
  ]
  return { kind: "release", about: { agent }, legs }
}

function moving(legs: Leg[]): Leg[] {
  return legs.filter(({ amount }) => amount !== 0)
}
