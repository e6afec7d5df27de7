import { hash } from "./wgsl/hash.ts"

/** Operands are whole numbers from -range to range, so scattered. */
export interface Operands {
  size: number
  range: number
}

/** Two random vectors: a wrong product passes both with less than 2^-24 chance. */
const VECTORS = 2
/** Their entries are whole numbers from 1 to this, so that a single wrong entry of a product always shows. */
const ENTRIES = 4096

/** An entry of A (transposed) or B, by its number row by row. */
export function entry(matrix: "A" | "B", at: number, range: number): number {
  return (hash(matrix === "A" ? at : at ^ 0x8000_0000) % (2 * range + 1)) - range
}

/**
 * What a product C = A B must satisfy: C x = A (B x) for random x (R. Freivalds, "Probabilistic machines can use less running time", IFIP
 * 1977), at the cost of reading C once.
 *
 * Operands are small whole numbers. Their products and sums stay whole numbers far below 2^24 (2^11 where sums are kept in 16 bits), which
 * floats of that width hold exactly, in any order and fused or not (IEEE 754, 3.3): the tolerance is zero, and one wrong bit shows. All that is
 * summed here stays below 2^53.
 */
export interface Proof {
  /** Judges rows `from` and on; gives the first row that is wrong, or null. */
  wrongRow(rows: ArrayLike<number>, from: number): number | null
}

/** @param give gets each of the matrices' rows as it is made, so that nobody need keep them all. */
export function prepareProof(
  { size, range }: Operands,
  give: (matrix: "A" | "B", row: Int16Array<ArrayBuffer>, at: number) => void,
): Proof {
  const random = Array.from({ length: VECTORS }, (_, vector) =>
    Float64Array.from({ length: size }, (_, at) => (hash(0x4000_0000 + vector * size + at) % ENTRIES) + 1),
  )
  const through = random.map(() => new Float64Array(size))
  const expected = random.map(() => new Float64Array(size))
  const row = new Int16Array(size)
  for (let k = 0; k < size; k++) {
    for (let at = 0; at < size; at++) row[at] = entry("B", k * size + at, range)
    give("B", row, k)
    random.forEach((vector, which) => {
      const sums = through[which]
      if (sums) sums[k] = dot(row, vector, 0)
    })
    for (let at = 0; at < size; at++) row[at] = entry("A", k * size + at, range)
    give("A", row, k)
    expected.forEach((sums, which) => void add(sums, row, through[which]?.[k] ?? 0))
  }
  return {
    wrongRow(rows, from) {
      for (let at = 0; at * size < rows.length; at++) {
        const isRight = random.every(
          (vector, which) => dot(rows, vector, at * size) === expected[which]?.[from + at],
        )
        if (!isRight) return from + at
      }
      return null
    },
  }
}

function dot(values: ArrayLike<number>, vector: Float64Array, from: number): number {
  let sum = 0
  for (let at = 0; at < vector.length; at++) sum += (values[from + at] ?? 0) * (vector[at] ?? 0)
  return sum
}

function add(sums: Float64Array, row: Int16Array, factor: number): void {
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] ?? 0) + (row[at] ?? 0) * factor
}
