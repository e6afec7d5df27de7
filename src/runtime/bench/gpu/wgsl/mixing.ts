import { HASH, hash } from "./hash.ts"

export const MIXING_THREADS = 256

/**
 * Mixes whole numbers and floats in turns that each depend on the one before: one wrong bit anywhere spoils the rest. The product of two
 * 11-bit numbers and a sum with one of 10 bits is exact in 32-bit floats, fused or not, so that every card and this machine agree.
 * Binding 0: a word for each invocation.
 */
export function mixing(rounds: number): string {
  return `${HASH}
@group(0) @binding(0) var<storage, read_write> results: array<u32>;

@compute @workgroup_size(${MIXING_THREADS})
fn main(@builtin(global_invocation_id) place: vec3<u32>) {
  var state = hash(place.x);
  for (var round = 0u; round < ${rounds}u; round++) {
    let product = fma(f32(state & 0x7ffu), f32((state >> 11u) & 0x7ffu), f32(state >> 22u));
    state = (state ^ u32(product)) * 0x2c9277b5u + round;
    state = state ^ (state >> 15u);
  }
  results[place.x] = state;
}`
}

/** What the card must come to for each of so many invocations. */
export function mixed(count: number, rounds: number): Uint32Array<ArrayBuffer> {
  const results = new Uint32Array(count)
  for (let at = 0; at < count; at++) {
    let state = hash(at)
    for (let round = 0; round < rounds; round++) {
      const product = (state & 0x7ff) * ((state >>> 11) & 0x7ff) + (state >>> 22)
      state = (Math.imul(state ^ product, 0x2c9277b5) + round) | 0
      state ^= state >>> 15
    }
    results[at] = state
  }
  return results
}
