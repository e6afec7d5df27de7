import { type AuditTerms, fullBond } from "./terms.ts"
import type { Stake } from "./trust.ts"

/** How much of a settled shard's pay is added to the agent's bond, in micro-credits; the bond is paid out when the agent leaves. */
export function heldBack(
  pay: number,
  { bond, price }: Stake,
  terms: Pick<AuditTerms, "deterrence" | "floor" | "hold">,
): number {
  return Math.max(0, Math.min(Math.floor(pay * terms.hold), Math.ceil(fullBond(terms) * price) - bond))
}

/** Where a forfeited bond goes, in micro-credits. */
export interface Forfeit {
  /** To the auditors, for the work that they were asked to do. */
  paid: number
  /** Back to the issuer: nobody may earn by finding an agent wrong. */
  destroyed: number
  /** What the auditors are still owed, by the marketplace. */
  short: number
}

/** Auditors are owed the same whatever they find; a failed agent's bond pays them first. */
export function forfeit(bond: number, owed: number): Forfeit {
  const paid = Math.min(bond, owed)
  return { paid, destroyed: bond - paid, short: owed - paid }
}
