/** Instructions of WebAssembly in its binary format (core specification 2.0 with fixed and relaxed vectors, section 5.4). */
export type Code = readonly number[]

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest]
    bytes.push((rest & 0x7f) | 0x80)
  }
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7) {
    if (rest >= -64 && rest < 64) return [...bytes, rest & 0x7f]
    bytes.push((rest & 0x7f) | 0x80)
  }
}

export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number): Code => [0x21, ...unsigned(local)]
export const i32Const = (value: number): Code => [0x41, ...signed(value)]
export const I32_ADD: Code = [0x6a]
export const I32_MUL: Code = [0x6c]
export const I32_LESS: Code = [0x49]
/** Does the body, and again for as long as the condition, which it ends with, holds. */
export const repeat = (...body: Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b]

const vector = (operation: number, ...rest: number[]): Code => [0xfd, ...unsigned(operation), ...rest]
export const load = (offset: number): Code => vector(0x00, 4, ...unsigned(offset))
export const store = (offset: number): Code => vector(0x0b, 4, ...unsigned(offset))
/** One 32-bit value into all four places. */
export const loadSplat = (offset: number): Code => vector(0x09, 2, ...unsigned(offset))
export const ZERO: Code = vector(0x0c, ...Array<number>(16).fill(0))
/** a * b + c in each of four places; fused into one rounding where the processor does that. */
export const F32_MADD: Code = vector(0x105)
/** The same in two places of 64 bits. */
export const F64_MADD: Code = vector(0x107)
export const f64Splat = (value: number): Code => [
  0x44,
  ...new Uint8Array(new Float64Array([value]).buffer),
  ...vector(0x14),
]

const I32 = 0x7f
const V128 = 0x7b
const FUNCTION = 0x00

export interface Procedure {
  name: string
  /** How many 32-bit arguments it takes: its first locals. Further ones are 32-bit words, then vectors. */
  arguments: number
  words: number
  vectors: number
  body: readonly Code[]
}

/** A module of procedures that work on one memory, imported as `env.memory`. */
export function moduleOf(procedures: readonly Procedure[]): Uint8Array<ArrayBuffer> {
  const types = procedures.map(({ arguments: count }) => [0x60, ...list(Array(count).fill([I32])), 0])
  const memory = [...text("env"), ...text("memory"), 0x02, 0x00, 1]
  const exported = procedures.map(({ name }, index) => [...text(name), FUNCTION, index])
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(types)),
    ...section(2, list([memory])),
    ...section(3, list(procedures.map((_, index) => [index]))),
    ...section(7, list(exported)),
    ...section(10, list(procedures.map(bodyOf))),
  ])
}

function bodyOf({ words, vectors, body }: Procedure): Code {
  const locals = list([
    [...unsigned(words), I32],
    [...unsigned(vectors), V128],
  ])
  const code = [...locals, ...body.flat(), 0x0b]
  return [...unsigned(code.length), ...code]
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content]
}

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()]
}

function text(value: string): Code {
  return list([...Buffer.from(value)].map(byte => [byte]))
}
