import type { Soundness } from "../../../protocol/capacity-report.ts"
import {
  allocate,
  allocateStorage,
  bind,
  type Card,
  compile,
  flipBit,
  judged,
  type Kernel,
  Unavailable,
} from "./card.ts"
import { hash } from "./wgsl/hash.ts"
import { PATTERN_BYTES, type Pattern, SWEEP, type Sweep, sweepWords } from "./wgsl/pattern.ts"

export interface VramLimits {
  /** Bytes to test at most; what the card still has is tested where it is less. Null: until nothing can be allocated any more. */
  limitBytes: number | null
  /** Further rounds with other random words begin until so many seconds have passed. */
  seconds: number
}

/** Bytes of one buffer at most: what fails to be allocated at the end is no larger. */
const BUFFER_BYTES = 512 << 20
/** With no limit given, so much is left over: a card that is full to the last byte cannot even count. */
const MARGIN_BYTES = 256 << 20
const WORD_BYTES = 4

/** One buffer of what is tested, and where it begins among all. */
interface Part {
  buffer: GPUBuffer
  from: number
}

/**
 * Moving inversions (after memtest86's test of that name) over all memory that can be had: every word is written, read and turned over, upwards
 * and downwards, first with its own address and then with random words, other ones in every round. All of it is written before any is
 * read again, so that no cache answers for the memory.
 * @throws Unavailable when there is no memory at all.
 */
export async function testVram(
  card: Card,
  { limitBytes, seconds }: VramLimits,
  onSweep: (bytes: number) => void,
): Promise<Soundness> {
  const started = performance.now()
  const elapsed = () => (performance.now() - started) / 1000
  const parts = await occupy(card, limitBytes)
  const bytes = parts.reduce((sum, { buffer }) => sum + buffer.size, 0)
  const found = { errors: 0, range: null as Soundness["range"] }
  try {
    const sweeper = await openSweeper(card)
    for (let round = 0; round < 2 || elapsed() < seconds; round++) {
      for (const [at, { sweep, isDownwards }] of sweepsOf(round).entries()) {
        for (const part of isDownwards ? parts.toReversed() : parts)
          note(found, part, await sweeper(part, sweep))
        if (card.spoil === "vram" && round === 0 && at === 0) await spoil(card, parts)
        onSweep(bytes)
      }
    }
  } finally {
    for (const { buffer } of parts) buffer.destroy()
  }
  return { test: "vram-patterns", checked: bytes, seconds: elapsed(), ...found }
}

/** The sweeps of a round: the first is the addresses', the others have random words of their own. */
function sweepsOf(round: number): { sweep: (from: number) => Sweep; isDownwards: boolean }[] {
  const seed = hash(round)
  const pattern = (from: number, isInverse: boolean): Pattern => ({
    kind: round === 0 ? "address" : "random",
    from: from / WORD_BYTES + (round === 0 ? 0 : seed),
    isInverse,
  })
  return [
    { sweep: from => ({ expected: null, written: pattern(from, false) }), isDownwards: false },
    { sweep: from => ({ expected: pattern(from, false), written: pattern(from, true) }), isDownwards: false },
    { sweep: from => ({ expected: pattern(from, true), written: pattern(from, false) }), isDownwards: true },
    { sweep: from => ({ expected: pattern(from, false), written: null }), isDownwards: false },
  ]
}

/** Takes memory until the limit is reached or none is left. */
async function occupy(card: Card, limitBytes: number | null): Promise<Part[]> {
  const { maxBufferSize, maxStorageBufferBindingSize } = card.device.limits
  const most = wholeGroups(Math.min(BUFFER_BYTES, maxBufferSize, maxStorageBufferBindingSize))
  const margin = limitBytes === null ? await allocate(card, MARGIN_BYTES, GPUBufferUsage.STORAGE) : null
  const parts: Part[] = []
  let from = 0
  try {
    for (;;) {
      const size = wholeGroups(Math.min(most, (limitBytes ?? Number.POSITIVE_INFINITY) - from))
      if (size === 0) break
      const buffer = await allocateStorage(card, size)
      parts.push({ buffer, from })
      from += size
    }
  } catch (error) {
    if (!(error instanceof Unavailable) || parts.length === 0) throw error
  } finally {
    margin?.destroy()
  }
  if (parts.length === 0) throw new Unavailable("the card has no memory left to test")
  return parts
}

function wholeGroups(bytes: number): number {
  return Math.floor(bytes / PATTERN_BYTES) * PATTERN_BYTES
}

/** Goes over one part with one sweep, and gives the wrong words of it. */
type Sweeper = (part: Part, sweep: (from: number) => Sweep) => ReturnType<typeof judged>

async function openSweeper(card: Card): Promise<Sweeper> {
  const pipeline = await compile(card, SWEEP)
  const uniform = await allocate(card, 32, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST)
  return ({ buffer, from }, sweep) => {
    card.device.queue.writeBuffer(uniform, 0, sweepWords(sweep(from)))
    return judged(card, tally => [kernelOver(card, pipeline, [buffer, tally, uniform])])
  }
}

function kernelOver(card: Card, pipeline: GPUComputePipeline, buffers: GPUBuffer[]): Kernel {
  return bind(card, pipeline, buffers, [(buffers[0]?.size ?? 0) / PATTERN_BYTES, 1])
}

function note(
  found: Pick<Soundness, "errors" | "range">,
  { from }: Part,
  tally: Awaited<ReturnType<typeof judged>>,
): void {
  if (tally.words === null) return
  const [first, last] = tally.words.map(word => from + word * WORD_BYTES)
  if (first === undefined || last === undefined) return
  const [lowest, highest] = found.range ?? [first, last]
  found.errors += tally.wrong
  found.range = [Math.min(lowest, first), Math.max(highest, last + WORD_BYTES - 1)]
}

async function spoil(card: Card, parts: readonly Part[]): Promise<void> {
  const last = parts.at(-1)
  if (last !== undefined) await flipBit(card, last.buffer, last.buffer.size / 2)
}
