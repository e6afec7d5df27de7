import type { Answer, Verdict } from "./verdict.ts"
import { verdict } from "./verdict.ts"

/** How a part of a claim stands. */
export interface Standing<A extends Answer> {
  /** How many more answers are to be asked for; 0 when it is over. */
  more: number
  /** What holds if nobody is left to ask. */
  found: Verdict<A>
}

export interface StandingTerms {
  quorum: number
  lead: number
  /** How many answers there have to be in any case, as long as there is anybody to give them. */
  copies: number
}

/**
 * Asks until the answers decide, and then once more where the last of them is itself drawn to be audited.
 * @param said the claim where there is one, then its auditors' answers in their order.
 */
export function standing<A extends Answer>(
  said: readonly A[],
  { quorum, lead, copies }: StandingTerms,
  isDrawn: (last: A) => boolean,
): Standing<A> {
  const found = verdict(said, { quorum, lead })
  const missing = copies - said.length
  if (found.kind === "open") return { more: Math.max(found.more, missing), found }
  if (found.wrong.length > 0) return { more: 0, found }
  const last = said.at(-1)
  return { more: Math.max(missing, last && isDrawn(last) ? 1 : 0), found }
}
