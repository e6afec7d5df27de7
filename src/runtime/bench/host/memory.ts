import prettyBytes from "pretty-bytes"
import { type LastCaches, lookAtCaches } from "./caches.ts"
import { drilled } from "./drilled.ts"
import { type Budget, type Figures, together, unmeasured, type Watch } from "./figure.ts"
import { TRIAD_STRIDE } from "./kernels.ts"

/** Of the memory that is free, so that nothing has to be swapped out for the measurement. */
const SHARE = 1 / 4
/** STREAM asks for arrays of four times the last caches, so that none of it is found there again. */
const TIMES_CACHE = 4
const LEAST_ARRAY_BYTES = 32 << 20
/** What a 32-bit address reaches, in three arrays. */
const LARGEST_ARRAY_BYTES = Math.floor(2 ** 32 / 3) - 2 ** 20
const ARRAYS = 3
/** What a thread takes up besides its arrays. */
const THREAD_BYTES = 16 << 20

export interface MemoryOptions {
  /** At most so many: the cores that the owner gives. */
  threads: number
  /** At most so much in all: the memory that the owner gives. */
  memoryBytes?: number
}

/**
 * How fast the memory is read and written: `copy` (a = b, the C library's) and `triad` (a = b + 3 c in 64-bit floats, WebAssembly), by
 * one thread and by all, over arrays much larger than the caches, in bytes counted as STREAM counts them.
 *
 * One thread is limited by how many misses its core keeps open, all together by the memory's channels. A copy may write past the caches,
 * which the triad does not: that costs it a line fetched for each line written, which is not counted.
 * @throws Fault `host-unsound` when a result is wrong; the signal's reason.
 */
export async function measureMemory(options: MemoryOptions, budget: Budget, watch: Watch): Promise<Figures> {
  const caches = await lookAtCaches()
  const figures: Figures[] = []
  for (const kind of ["copy", "triad"] as const)
    for (const size of ["one-thread", "all-threads"] as const) {
      const name = `memory-${kind}-${size}`
      const threads = size === "one-thread" ? 1 : options.threads
      const plan = planArrays({ threads, caches, freeBytes: freeBytes(options) })
      figures.push(
        "reason" in plan
          ? { measurements: [], unmeasured: [unmeasured(name, plan.reason)] }
          : await drilled({ name, unit: "B/s", threads, drill: { kind, ...plan } }, budget, watch),
      )
    }
  return together(figures)
}

/** What this program may take: a control group's limit counts, and the owner's. */
function freeBytes({ memoryBytes = Number.POSITIVE_INFINITY }: MemoryOptions): number {
  return Math.min(process.availableMemory() * SHARE, memoryBytes)
}

interface Ground {
  threads: number
  caches: LastCaches
  /** What all arrays and threads may take up. */
  freeBytes: number
}

/** How large each of a thread's arrays is; or why they cannot be as large as they must. */
export function planArrays({
  threads,
  caches,
  freeBytes,
}: Ground): { arrayBytes: number } | { reason: string } {
  const reach = threads === 1 ? caches.largest : caches.sum
  const wanted = Math.max(LEAST_ARRAY_BYTES, TIMES_CACHE * reach) / threads
  const arrayBytes = Math.ceil(wanted / TRIAD_STRIDE) * TRIAD_STRIDE
  const needed = threads * (ARRAYS * arrayBytes + THREAD_BYTES)
  if (arrayBytes > LARGEST_ARRAY_BYTES)
    return { reason: `The caches are so large (${said(reach)}) that one thread does not get past them.` }
  if (needed <= freeBytes) return { arrayBytes }
  return {
    reason: `It takes ${said(needed)} to get past the caches, and only ${said(freeBytes)} can be taken without crowding out other programs. Close some, or give more memory.`,
  }
}

function said(bytes: number): string {
  return prettyBytes(Math.max(0, bytes), { binary: true, maximumFractionDigits: 0 })
}
