/** What the card counts of its own wrong words: how many, the first and the last, by their number in a buffer. */
export interface Tally {
  wrong: number
  /** Null where none is wrong. */
  words: [first: number, last: number] | null
}

export const TALLY_BYTES = 16

/** Declares the counters at a binding, and `judge`, which compares a word. */
export function tallyAt(binding: number): string {
  return `
struct Tally { wrong: atomic<u32>, first: atomic<u32>, last: atomic<u32>, unused: u32 }
@group(0) @binding(${binding}) var<storage, read_write> tally: Tally;

fn judge(word: u32, found: u32, right: u32) {
  if (found != right) {
    atomicAdd(&tally.wrong, 1u);
    atomicMin(&tally.first, word);
    atomicMax(&tally.last, word);
  }
}`
}

/** Counters before anything was compared. */
export function freshTally(): Uint32Array<ArrayBuffer> {
  return Uint32Array.of(0, 0xffff_ffff, 0, 0)
}

/** @throws TypeError for fewer words than a tally has. */
export function tallyFrom([wrong, first, last]: Uint32Array): Tally {
  if (wrong === undefined || first === undefined || last === undefined)
    throw new TypeError("a tally of words")
  return { wrong, words: wrong === 0 ? null : [first, last] }
}
