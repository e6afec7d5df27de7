import { drilled, type Exercise } from "./drilled.ts"
import { type Budget, type Figures, together, type Watch } from "./figure.ts"

const EXERCISES = [
  { name: "cpu-matmul-fp32-wasm", unit: "FLOP/s", drill: { kind: "matmul" } },
  { name: "cpu-sha256", unit: "B/s", drill: { kind: "sha256" } },
] as const

/**
 * What one core computes, and what all that the owner gives compute at once.
 *
 * `cpu-matmul-fp32-wasm`: products of two 256 x 256 matrices of 32-bit floats in WebAssembly, whose vectors have 128 bits: a lower
 * bound, the same on every system, which a native library with AVX2 passes twice and one with AVX-512 four times. `cpu-sha256`: OpenSSL
 * over a megabyte at a time, with the processor's own instructions for it where there are some. Threads that share a core share its
 * units, and all cores at once run at a lower clock than one alone: both are meant to show.
 * @param threads at most so many: the cores that the owner gives.
 * @throws Fault `host-unsound` when a result is wrong; the signal's reason.
 */
export async function measureCpu(threads: number, budget: Budget, watch: Watch): Promise<Figures> {
  const figures: Figures[] = []
  for (const exercise of EXERCISES)
    for (const one of eachSize(exercise, threads)) figures.push(await drilled(one, budget, watch))
  return together(figures)
}

function eachSize({ name, ...rest }: Omit<Exercise, "threads">, threads: number): Exercise[] {
  return [
    { ...rest, name: `${name}-one-core`, threads: 1 },
    { ...rest, name: `${name}-all-cores`, threads },
  ]
}
