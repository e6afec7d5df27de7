/** The longest first pause; each failure doubles what is possible. */
export const FIRST_BACKOFF_MS = 500
export const LONGEST_BACKOFF_MS = 30_000

/**
 * How long to wait before dialling again, in milliseconds: exponential with full jitter, anywhere between nothing and the bound, so that
 * agents that lost the same marketplace at the same instant do not come back at the same instant. (Brooker, "Exponential Backoff And
 * Jitter", AWS Architecture Blog, 2015.)
 * @param failures how often it failed so far in a row.
 * @param random from 0 to 1, 1 left out.
 */
export function backoffMs(failures: number, random: number): number {
  return random * Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** failures)
}
