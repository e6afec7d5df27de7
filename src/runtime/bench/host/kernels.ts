import { instantiate, type LinearMemory } from "./linear-memory.ts"
import {
  type Code,
  F32_MADD,
  F64_MADD,
  f64Splat,
  get,
  I32_ADD,
  I32_LESS,
  I32_MUL,
  i32Const,
  load,
  loadSplat,
  moduleOf,
  type Procedure,
  repeat,
  set,
  store,
  ZERO,
} from "./wasm-code.ts"

/** The factor of the triad. */
export const TRIAD_FACTOR = 3
/** How many columns of B lie together, and how many rows of A are taken at once. */
export const PANEL = 8
const ROWS = 4
const VECTOR_BYTES = 16
/** A pass of the triad's loop. */
export const TRIAD_STRIDE = 4 * VECTOR_BYTES

export interface Kernels {
  /**
   * C = A * B in 32-bit floats, in blocks of 4 x 8 that stay in the processor's registers. All arguments are byte addresses but the
   * last. A and C lie row by row; B lies in panels of 8 columns, each row by row. @param size a multiple of 8.
   */
  matmul(a: number, b: number, c: number, size: number): void
  /** a = b + 3 c in 64-bit floats (McCalpin's STREAM). @param bytes of each array, a multiple of 64. */
  triad(a: number, b: number, c: number, bytes: number): void
}

/** The kernels over one memory, in vectors of 128 bits, which is what WebAssembly has. */
export function kernelsOver(memory: LinearMemory): Kernels {
  return instantiate(moduleOf([matmul(), triad()]), memory) as Kernels
}

const plus = (local: number, ...amount: Code[]): Code => [
  ...get(local),
  ...amount.flat(),
  ...I32_ADD,
  ...set(local),
]

function triad(): Procedure {
  const [a, b, c, bytes, end, factor] = [0, 1, 2, 3, 4, 5]
  const step = (offset: number): Code => [
    ...get(a),
    ...get(c),
    ...load(offset),
    ...get(factor),
    ...get(b),
    ...load(offset),
    ...F64_MADD,
    ...store(offset),
  ]
  const offsets = Array.from({ length: TRIAD_STRIDE / VECTOR_BYTES }, (_, at) => at * VECTOR_BYTES)
  const body = [
    [...f64Splat(TRIAD_FACTOR), ...set(factor)],
    [...get(a), ...get(bytes), ...I32_ADD, ...set(end)],
    repeat(
      ...offsets.map(step),
      ...[a, b, c].map(local => plus(local, i32Const(TRIAD_STRIDE))),
      get(a),
      get(end),
      I32_LESS,
    ),
  ]
  return { name: "triad", arguments: 4, words: 1, vectors: 1, body }
}

function matmul(): Procedure {
  const [a, b, c, size, stride, row, panel, out, inB, endB, endPanel, endRow] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ]
  const inA = [12, 13, 14, 15]
  const [left, right, factor] = [16, 17, 18]
  const sums = Array.from({ length: ROWS * 2 }, (_, at) => 19 + at)
  const times = (factor: Code) => [...get(stride), ...factor, ...I32_MUL]
  const sumRow = (pointer: number, at: number): Code => [
    ...[...get(pointer), ...loadSplat(0), ...set(factor)],
    ...[left, right].flatMap((half, side) => {
      const sum = sums[2 * at + side] ?? 0
      return [...get(factor), ...get(half), ...get(sum), ...F32_MADD, ...set(sum)]
    }),
    ...plus(pointer, i32Const(4)),
  ]
  const innermost = repeat(
    [...get(inB), ...load(0), ...set(left), ...get(inB), ...load(VECTOR_BYTES), ...set(right)],
    ...inA.map(sumRow),
    plus(inB, i32Const(2 * VECTOR_BYTES)),
    [...get(inB), ...get(endB), ...I32_LESS],
  )
  const keepRow = (at: number): Code => [
    ...[0, 1].flatMap(side => [...get(out), ...get(sums[2 * at + side] ?? 0), ...store(side * VECTOR_BYTES)]),
    ...plus(out, get(stride)),
  ]
  const block = [
    ...sums.map(sum => [...ZERO, ...set(sum)]),
    ...inA.map((pointer, at) => [...get(row), ...times(i32Const(at)), ...I32_ADD, ...set(pointer)]),
    [...get(panel), ...set(inB), ...get(panel), ...times(i32Const(PANEL)), ...I32_ADD, ...set(endB)],
    innermost,
    ...inA.map((_, at) => keepRow(at)),
    // Back to the first row, eight columns on.
    plus(out, i32Const(2 * VECTOR_BYTES), [...times(i32Const(-ROWS)), ...I32_ADD]),
    [...get(endB), ...set(panel)],
  ]
  const body = [
    [...get(size), ...i32Const(4), ...I32_MUL, ...set(stride)],
    [...get(a), ...set(row), ...get(a), ...times(get(size)), ...I32_ADD, ...set(endRow)],
    [...get(b), ...times(get(size)), ...I32_ADD, ...set(endPanel)],
    repeat(
      [...get(b), ...set(panel), ...get(c), ...set(out)],
      repeat(...block, [...get(panel), ...get(endPanel), ...I32_LESS]),
      plus(row, times(i32Const(ROWS))),
      plus(c, times(i32Const(ROWS))),
      [...get(row), ...get(endRow), ...I32_LESS],
    ),
  ]
  return { name: "matmul", arguments: 4, words: 12, vectors: 11, body }
}
