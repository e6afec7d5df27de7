import { HASH, hash } from "./hash.ts"
import { tallyAt } from "./tally.ts"

export const TRIAD_FACTOR = 3

const THREADS = 256
/** Groups of four words that an invocation moves; its neighbours move the ones beside. */
const TURNS = 4
/** What one workgroup goes through; a buffer is a multiple of it. */
export const STREAM_BYTES = THREADS * TURNS * 16

/** Whole numbers of 20 bits, so that b + 3 c is one of 22 bits and exact in 32-bit floats, fused or not: every result is compared bit by bit. */
const OPERANDS = `
${HASH}
fn operandB(word: u32) -> f32 { return f32(hash(word) & 0xfffffu); }
fn operandC(word: u32) -> f32 { return f32(hash(word) >> 12u); }`

/** As the card makes it. */
export function operandB(word: number): number {
  return hash(word) & 0xfffff
}

export type Stream = "copy" | "triad"

const array = (binding: number, name: string, access: string, element: string) =>
  `@group(0) @binding(${binding}) var<storage, ${access}> ${name}: array<vec4<${element}>>;`

const eachGroup = (body: string) => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
  for (var turn = 0u; turn < ${TURNS}u; turn++) {
    let at = (group.x * ${TURNS}u + turn) * ${THREADS}u + id;
    ${body}
  }
}`

/** a = b, or a = b + 3 c. Bindings: 0 a, 1 b, 2 c. */
export function stream(kind: Stream): string {
  return kind === "copy"
    ? `${array(0, "a", "read_write", "f32")}
${array(1, "b", "read", "f32")}
${eachGroup("a[at] = b[at];")}`
    : `${array(0, "a", "read_write", "f32")}
${array(1, "b", "read", "f32")}
${array(2, "c", "read", "f32")}
${eachGroup(`a[at] = b[at] + ${TRIAD_FACTOR}.0 * c[at];`)}`
}

const fourOf = (make: string) => `vec4(${[0, 1, 2, 3].map(part => `${make}(4u * at + ${part}u)`).join(", ")})`

/** Fills binding 0 with an operand. */
export function fillOperand(operand: "B" | "C"): string {
  return `${OPERANDS}
${array(0, "a", "read_write", "f32")}
${eachGroup(`a[at] = ${fourOf(`operand${operand}`)};`)}`
}

/** Compares every element of a stream's result at binding 0 with what it must be, into the tally at binding 1. */
export function judgeStream(kind: Stream): string {
  const right = kind === "copy" ? "operandB(word)" : `operandB(word) + ${TRIAD_FACTOR}.0 * operandC(word)`
  return `${OPERANDS}
${tallyAt(1)}
${array(0, "a", "read", "f32")}
${eachGroup(`for (var part = 0u; part < 4u; part++) {
      let word = 4u * at + part;
      judge(word, bitcast<u32>(a[at][part]), bitcast<u32>(${right}));
    }`)}`
}

/** Compares every word at binding 0 with the one at binding 2, into the tally at binding 1. */
export function judgeSame(): string {
  return `${tallyAt(1)}
${array(0, "a", "read", "u32")}
${array(2, "b", "read", "u32")}
${eachGroup("for (var part = 0u; part < 4u; part++) { judge(4u * at + part, a[at][part], b[at][part]); }")}`
}

/** Compares every word at binding 0 with the hash of its number, into the tally at binding 1. */
export function judgeHashes(): string {
  return `${HASH}
${tallyAt(1)}
${array(0, "a", "read", "u32")}
${eachGroup("for (var part = 0u; part < 4u; part++) { judge(4u * at + part, a[at][part], hash(4u * at + part)); }")}`
}

/** Fills binding 0 with the hash of every word's number. */
export function fillHashes(): string {
  return `${HASH}
${array(0, "a", "read_write", "u32")}
${eachGroup(`a[at] = ${fourOf("hash")};`)}`
}
