import type { Answer, Verdict } from "./verdict.ts"
import { verdict } from "./verdict.ts"

/** How a part of a claim stands. */
export interface Standing<A extends Answer> {
  /** How many more answers are to be asked for; 0 when it is over. */
  more: number
  /** What holds if nobody is left to ask. */
  found: Verdict<A>
}

/**
 * Asks until the answers decide, and then once more where the last of them is itself drawn to be audited.
 * @param said the claim where there is one, then its auditors' answers in their order.
 */
export function standing<A extends Answer>(
  said: readonly A[],
  terms: { quorum: number; lead: number },
  isDrawn: (last: A) => boolean,
): Standing<A> {
  const found = verdict(said, terms)
  if (found.kind === "open") return { more: found.more, found }
  const last = said.at(-1)
  return { more: found.wrong.length === 0 && last && isDrawn(last) ? 1 : 0, found }
}
