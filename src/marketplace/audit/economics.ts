import { heldBack } from "./bond.ts"
import type { AuditTerms } from "./terms.ts"
import { auditProbability } from "./trust.ts"

/*
 * What cheating pays. Amounts are in shards' pay. Everywhere the worst case is taken: work that is skipped saves its whole
 * price, so that an honest host would work without profit.
 */

/** A shard, of whose segments some are wrong. */
export interface Cheat {
  segments: number
  wrong: number
}

/** The agent whose shard it is. */
export interface Odds {
  /** How likely a shard of it is audited. */
  audited: number
  bond: number
}

/** 1 - C(K-c, s) / C(K, s): at least one of s segments drawn from K is among the c wrong ones. Never less than c/K. */
export function chanceOfCatch({ segments, wrong }: Cheat, drawn: number): number {
  let missed = 1
  for (let i = 0; i < drawn; i++) missed *= Math.max(0, segments - wrong - i) / (segments - i)
  return 1 - missed
}

/** How much more than honest work a cheated shard earns on average: what it saves, less the voided pay and the bond. */
export function gainOfCheat(cheat: Cheat, drawn: number, { audited, bond }: Odds): number {
  return cheat.wrong / cheat.segments - audited * chanceOfCatch(cheat, drawn) * (1 + bond)
}

/** What being found out costs for each credit that cheating earns; above 1, cheating loses. */
export function deterrenceOf(cheat: Cheat, drawn: number, { audited, bond }: Odds): number {
  return (audited * chanceOfCatch(cheat, drawn) * (1 + bond)) / (cheat.wrong / cheat.segments)
}

/**
 * The share of those who cheat until they are found that have earned more by then than they lose: not yet after n
 * cheats with probability (1-q)^n, and behind as long as n gains do not exceed the loss. About e^-deterrence.
 */
export function shareAhead(cheat: Cheat, drawn: number, { audited, bond }: Odds): number {
  const found = audited * chanceOfCatch(cheat, drawn)
  return (1 - found) ** Math.floor((1 + bond) / (cheat.wrong / cheat.segments))
}

/**
 * The gain of cheating in so many shards at once, before the first of them is judged. One failure has all that came after it audited,
 * because they are not settled yet and the agent has nothing at stake any more.
 */
export function gainOfBurst(cheat: Cheat, drawn: number, { audited, bond }: Odds, shards: number): number {
  const seen = chanceOfCatch(cheat, drawn)
  const anyOf = (count: number) => 1 - (1 - audited * seen) ** count
  const undrawn = Array.from({ length: shards }, (_, earlier) => (1 - audited) * anyOf(earlier))
  const voided = seen * undrawn.reduce((sum, afterFailure) => sum + audited + afterFailure, 0)
  return (shards * cheat.wrong) / cheat.segments - voided - anyOf(shards) * bond
}

export interface Ring {
  /** The ring's part of all auditors, by their bonds. */
  share: number
  /** How likely an auditor's answer is itself audited, and what it loses then. */
  voucher: Odds
  /** By how many answers a result has to lead. */
  lead: number
}

/** The gain of a whole ring from one cheated shard, when its members confirm each other's segments without re-running them. */
export function gainOfRing(cheat: Cheat, drawn: number, { audited, bond }: Odds, ring: Ring): number {
  const { share, voucher, lead } = ring
  const disputeLost = 1 - chanceOfWrongVerdict(share, lead)
  const vouchFound = voucher.audited * (1 - share) * disputeLost
  const unseen = meanPower(cheat, drawn, share * (1 - vouchFound))
  const part = cheat.wrong / cheat.segments
  const vouches = audited * drawn * part * share
  const saved = part + vouches / cheat.segments
  return saved - audited * (1 - unseen) * disputeLost * (1 + bond) - vouches * vouchFound * voucher.bond
}

/** The mean of factor^j, j being how many of the wrong segments are among the drawn ones (hypergeometric). */
function meanPower({ segments, wrong }: Cheat, drawn: number, factor: number): number {
  let sum = 0
  for (let j = 0; j <= Math.min(drawn, wrong); j++)
    sum += choose(wrong, j) * choose(segments - wrong, drawn - j) * factor ** j
  return sum / choose(segments, drawn)
}

function choose(n: number, k: number): number {
  if (k > n) return 0
  let product = 1
  for (let i = 0; i < k; i++) product *= (n - i) / (k - i)
  return product
}

/** How likely a dispute ends for the ring: gambler's ruin from the middle of two barriers, `lead` answers away each. */
export function chanceOfWrongVerdict(share: number, lead: number): number {
  return 1 / (1 + ((1 - share) / share) ** lead)
}

/** Large enough that micro-credits are not rounded away. */
const PRICE = 1_000_000

/** What is re-run of an honest agent's first shards, as a share of their work: a part of each that is drawn, and answers again. */
export function overheadOf(shards: number, part: number, terms: AuditTerms): number {
  let audits = 0
  for (let n = 0, bond = 0; n < shards; n++) {
    const stake = { bond, price: PRICE }
    audits += auditProbability({ passed: n, failed: 0, run: n }, stake, terms)
    bond += heldBack(PRICE, stake, terms)
  }
  return ((audits / shards) * part) / (1 - terms.floor)
}
