/**
 * Scatters a counter over 32 bits, the same on the card and here: two multiplications and three shifts, one to one (C. Wellons, "Prospecting
 * for Hash Functions", 2018, `lowbias32`).
 */
export const HASH = `
fn hash(counter: u32) -> u32 {
  var x = counter;
  x = (x ^ (x >> 16u)) * 0x7feb352du;
  x = (x ^ (x >> 15u)) * 0x846ca68bu;
  return x ^ (x >> 16u);
}`

/** As {@link HASH}; a whole number from 0 to 2^32 - 1. */
export function hash(counter: number): number {
  let x = counter >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}
