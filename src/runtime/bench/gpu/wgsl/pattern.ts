import { HASH } from "./hash.ts"
import { tallyAt } from "./tally.ts"

const THREADS = 256
const TURNS = 16
/** What one workgroup goes through; a buffer is a multiple of it. */
export const PATTERN_BYTES = THREADS * TURNS * 16

/** What every word of a sweep holds: its own number, or a hash of it; `inverse` turns every bit over. */
export interface Pattern {
  kind: "address" | "random"
  /** Added to the word's number: where the buffer begins, or another seed for every round. */
  from: number
  isInverse: boolean
}

/** One sweep over a buffer: compares with one pattern, writes another, or both. */
export interface Sweep {
  expected: Pattern | null
  written: Pattern | null
}

/** Bindings: 0 the memory, 1 the tally, 2 the sweep's words as {@link sweepWords} gives them. */
export const SWEEP = `${HASH}
${tallyAt(1)}
struct Pattern { isThere: u32, isRandom: u32, start: u32, mask: u32 }
struct Sweep { expected: Pattern, written: Pattern }
@group(0) @binding(0) var<storage, read_write> memory: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> sweep: Sweep;

fn valueOf(pattern: Pattern, word: u32) -> u32 {
  let number = word + pattern.start;
  return select(number, hash(number), pattern.isRandom == 1u) ^ pattern.mask;
}

fn valuesOf(pattern: Pattern, word: u32) -> vec4<u32> {
  return vec4(valueOf(pattern, word), valueOf(pattern, word + 1u), valueOf(pattern, word + 2u), valueOf(pattern, word + 3u));
}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
  for (var turn = 0u; turn < ${TURNS}u; turn++) {
    let at = (group.x * ${TURNS}u + turn) * ${THREADS}u + id;
    if (sweep.expected.isThere == 1u) {
      let found = memory[at];
      let right = valuesOf(sweep.expected, 4u * at);
      if (any(found != right)) {
        for (var part = 0u; part < 4u; part++) { judge(4u * at + part, found[part], right[part]); }
      }
    }
    if (sweep.written.isThere == 1u) { memory[at] = valuesOf(sweep.written, 4u * at); }
  }
}`

export function sweepWords({ expected, written }: Sweep): Uint32Array<ArrayBuffer> {
  return Uint32Array.from([...wordsOf(expected), ...wordsOf(written)])
}

function wordsOf(pattern: Pattern | null): number[] {
  if (pattern === null) return [0, 0, 0, 0]
  return [1, pattern.kind === "random" ? 1 : 0, pattern.from >>> 0, pattern.isInverse ? 0xffff_ffff : 0]
}
