import fc from "fast-check"
import { expect, test } from "vitest"
import { kernelsOver, PANEL, TRIAD_FACTOR, TRIAD_STRIDE } from "../../../../src/runtime/bench/host/kernels.ts"
import { openMemory } from "../../../../src/runtime/bench/host/linear-memory.ts"

/** Row by row, into panels of eight columns. */
function inPanels(matrix: readonly number[], size: number): number[] {
  return matrix.map((_, at) => {
    const panel = Math.floor(at / (size * PANEL))
    const [row, column] = [Math.floor((at % (size * PANEL)) / PANEL), at % PANEL]
    return matrix[row * size + panel * PANEL + column] ?? Number.NaN
  })
}

function naive(a: readonly number[], b: readonly number[], size: number): number[] {
  return a.map((_, at) => {
    const [row, column] = [Math.floor(at / size), at % size]
    let sum = 0
    for (let k = 0; k < size; k++) sum += (a[row * size + k] ?? 0) * (b[k * size + column] ?? 0)
    return sum
  })
}

const matrices = fc.constantFrom(8, 16, 40).chain(size => {
  const matrix = fc.array(fc.integer({ min: -99, max: 99 }), { minLength: size ** 2, maxLength: size ** 2 })
  return fc.record({ size: fc.constant(size), a: matrix, b: matrix, gap: fc.nat(7) })
})

test("the product is that of the textbook, and nothing beside it is touched", () => {
  fc.assert(
    fc.property(matrices, ({ size, a, b, gap }) => {
      const memory = openMemory(1 << 16)
      const values = new Float32Array(memory.buffer).fill(1234.5)
      const [atA, atB, atC] = [gap, 2 * gap + size ** 2, 3 * gap + 2 * size ** 2]
      values.set(a, atA)
      values.set(inPanels(b, size), atB)
      kernelsOver(memory).matmul(4 * atA, 4 * atB, 4 * atC, size)
      const product = naive(a, b, size)
      expect([...values.slice(atC, atC + size ** 2)]).toEqual(product.map(value => value + 0))
      expect(values.slice(atC + size ** 2).every(value => value === 1234.5)).toBe(true)
      expect([...values.slice(atA, atA + size ** 2)]).toEqual(a.map(value => value + 0))
    }),
    { numRuns: 30 },
  )
})

test("the triad writes every element of its array and no other", () => {
  const count = (5 * TRIAD_STRIDE) / 8
  const memory = openMemory(1 << 16)
  const after = new Float64Array(memory.buffer)
  const cells = after.map((_, at) => at)
  after.set(cells)
  kernelsOver(memory).triad(0, count * 8, 2 * count * 8, count * 8)
  for (let at = 0; at < count; at++) expect(after[at]).toBe(count + at + TRIAD_FACTOR * (2 * count + at))
  expect(after.slice(count)).toEqual(cells.slice(count))
})
