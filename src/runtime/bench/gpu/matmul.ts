import {
  allocateStorage,
  bind,
  type Card,
  compile,
  flipBit,
  type Kernel,
  readBack,
  Unavailable,
} from "./card.ts"
import type { Exercise } from "./exercise.ts"
import { type Proof, prepareProof } from "./freivalds.ts"
import { halfBits, halves } from "./half.ts"
import { openStopwatch, type Stopwatch } from "./stopwatch.ts"
import { TILINGS, tiledMatmul } from "./wgsl/matmul.ts"
import { layoutFor, type MatrixShape, subgroupMatmul } from "./wgsl/subgroup-matmul.ts"

/** A way to multiply two matrices on a card. */
export interface Method {
  name: string
  /** Of the operands, and of the product. */
  element: "f32" | "f16"
  result: "f32" | "f16"
  /** Operands are whole numbers from -range to range, so that every sum is exact. */
  range: number
  /** Whether the left matrix is wanted column by column. */
  isTransposed: boolean
  /** The kernels to choose from, for matrices of so many rows; the fastest is measured. */
  candidates(size: number): Candidate[]
}

export interface Candidate {
  code: string
  workgroups: readonly [x: number, y: number]
}

/** Sums of 4096 products stay far below 2^24 and 2^11 with these: twelve times the standard deviation away, and more. */
const RANGE = { f32: 256, f16: 2 } as const

export function tiled(element: "f32" | "f16"): Method {
  return {
    name: element === "f32" ? "matmul-fp32" : "matmul-fp16",
    element,
    result: element,
    range: RANGE[element],
    isTransposed: true,
    candidates: size =>
      TILINGS.filter(({ rows, columns }) => size % rows === 0 && size % columns === 0).map(tiling => ({
        code: tiledMatmul(element, size, tiling),
        workgroups: [size / tiling.columns, size / tiling.rows],
      })),
  }
}

/** Products of 16-bit floats by the card's matrix units, with 32-bit sums where it offers them. Null where it offers none. */
export function bySubgroups({ shapes, widestSubgroup }: Card): Method | null {
  const fitting = shapes.flatMap(({ componentType, resultComponentType, M, N, K }) => {
    const result = resultComponentType
    if (componentType !== "f16" || (result !== "f16" && result !== "f32")) return []
    const shape: MatrixShape = { m: M, n: N, k: K, result }
    const layout = layoutFor(shape)
    return layout === null ? [] : [{ shape, layout }]
  })
  const result = fitting.some(({ shape }) => shape.result === "f32") ? "f32" : "f16"
  const chosen = fitting.filter(({ shape }) => shape.result === result)
  if (chosen.length === 0) return null
  return {
    name: "matmul-subgroup-f16",
    element: "f16",
    result,
    // Products of 7-bit numbers leave what matrix units align and cut off in their sums out of it.
    range: result === "f32" ? 64 : RANGE.f16,
    isTransposed: false,
    candidates: size =>
      chosen
        .filter(({ layout: { rows, columns } }) => size % rows === 0 && size % columns === 0)
        .map(({ shape, layout: { rows, columns } }) => ({
          code: subgroupMatmul(shape, size, widestSubgroup),
          workgroups: [size / columns, size / rows] as const,
        })),
  }
}

/** Rows of a matrix that are handed over or read back at once: 64 MiB of host memory are enough for any size. */
const SLAB_BYTES = 16 << 20

/** @throws Unavailable when the card has no memory for it, or its compiler takes none of the kernels. */
export async function prepareMatmul(card: Card, method: Method, size: number): Promise<Exercise> {
  const buffers: GPUBuffer[] = []
  const stopwatch = await openStopwatch(card)
  const dispose = () => {
    for (const buffer of buffers) buffer.destroy()
    stopwatch[Symbol.dispose]()
  }
  try {
    for (const element of [method.element, method.element, method.result]) {
      buffers.push(await allocateStorage(card, size * size * bytesOf(element)))
    }
    const [a, b, c] = buffers
    if (!a || !b || !c) throw new TypeError("three matrices")
    const proof = await hand(card, method, size, { a, b })
    const kernel = await fastest(card, method.candidates(size), buffers, stopwatch)
    return {
      name: method.name,
      unit: "FLOP/s",
      get clock() {
        return stopwatch.clock
      },
      amount: 2 * size ** 3,
      run: count => stopwatch.time(kernel, count),
      async clear() {
        const encoder = card.device.createCommandEncoder()
        encoder.clearBuffer(c)
        card.device.queue.submit([encoder.finish()])
      },
      async check() {
        if (card.spoil === method.name) await flipBit(card, c, 4 * size)
        return wrongProduct(card, method, c, size, proof)
      },
      [Symbol.dispose]: dispose,
    }
  } catch (error) {
    dispose()
    throw error
  }
}

function bytesOf(element: "f32" | "f16"): number {
  return element === "f32" ? 4 : 2
}

/** Writes both matrices to the card as they are made. */
async function hand(
  { device }: Card,
  { element, range, isTransposed }: Method,
  size: number,
  { a, b }: { a: GPUBuffer; b: GPUBuffer },
): Promise<Proof> {
  const line = size * bytesOf(element)
  const coded = (row: Int16Array) =>
    element === "f32" ? Float32Array.from(row) : Uint16Array.from(row, halfBits)
  // The card wants some matrices row by row: then the one that is made by its columns is gathered whole.
  const whole = isTransposed ? null : new Int16Array(size * size)
  const proof = prepareProof({ size, range }, (matrix, row, at) => {
    if (matrix === "B") device.queue.writeBuffer(b, at * line, coded(row))
    else if (whole === null) device.queue.writeBuffer(a, at * line, coded(row))
    else for (const [to, value] of row.entries()) whole[to * size + at] = value
  })
  for (let at = 0; whole !== null && at < size; at++) {
    device.queue.writeBuffer(a, at * line, coded(whole.subarray(at * size, (at + 1) * size)))
  }
  await device.queue.onSubmittedWorkDone()
  return proof
}

/** Tries each kernel twice, as the first time may wait for a compiler. */
async function fastest(
  card: Card,
  candidates: readonly Candidate[],
  buffers: readonly GPUBuffer[],
  { time }: Stopwatch,
): Promise<Kernel> {
  const tried: { kernel: Kernel; seconds: number }[] = []
  let refusal: unknown = new Unavailable("no kernel fits the size")
  for (const { code, workgroups } of candidates) {
    try {
      const kernel = bind(card, await compile(card, code), buffers, workgroups)
      await time(kernel, 1)
      tried.push({ kernel, seconds: await time(kernel, 1) })
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      refusal = error
    }
  }
  const [best] = tried.toSorted((one, other) => one.seconds - other.seconds)
  if (best === undefined) throw refusal
  return best.kernel
}

async function wrongProduct(
  card: Card,
  { result }: Method,
  c: GPUBuffer,
  size: number,
  proof: Proof,
): Promise<string | null> {
  const line = size * bytesOf(result)
  const rows = Math.max(1, Math.min(size, Math.floor(SLAB_BYTES / line)))
  const known = result === "f16" ? halves() : null
  for (let from = 0; from < size; from += rows) {
    const bytes = await readBack(card, c, from * line, Math.min(rows, size - from) * line)
    const values =
      known === null
        ? new Float32Array(bytes)
        : Float32Array.from(new Uint16Array(bytes), bits => known[bits] ?? 0)
    const wrong = proof.wrongRow(values, from)
    if (wrong !== null) return `row ${wrong} of a matrix product of ${size} rows is wrong`
  }
  return null
}
