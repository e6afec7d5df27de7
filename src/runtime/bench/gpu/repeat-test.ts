import type { Soundness } from "../../../protocol/capacity-report.ts"
import { allocateStorage, bind, type Card, compile, flipBit, judged, readBack, runOnce } from "./card.ts"
import { MIXING_THREADS, mixed, mixing } from "./wgsl/mixing.ts"
import { judgeSame, STREAM_BYTES } from "./wgsl/stream.ts"

export interface RepeatLimits {
  seconds: number
}

/** Invocations, enough to fill a large card and few enough to be done on this machine too; a multiple of a stream's group. */
const SHARES = { card: 1 << 18, software: 1 << 12 } as const
const ROUNDS = 512
const WORD_BYTES = 4

/**
 * Repeats a kernel whose result can be only one, and compares every result with the first, all of it, on the card; the first is compared with
 * what this machine comes to by itself.
 * @throws Unavailable.
 */
export async function testRepeats(
  card: Card,
  { seconds }: RepeatLimits,
  onRound: (results: number) => void,
): Promise<Soundness> {
  const count = card.isSoftware ? SHARES.software : SHARES.card
  const size = count * WORD_BYTES
  const first = await allocateStorage(card, size)
  const again = await allocateStorage(card, size)
  try {
    const pipeline = await compile(card, mixing(ROUNDS))
    const comparing = await compile(card, judgeSame())
    const into = (buffer: GPUBuffer) => bind(card, pipeline, [buffer], [count / MIXING_THREADS, 1])
    const started = performance.now()
    const elapsed = () => (performance.now() - started) / 1000
    await runOnce(card, into(first))
    if (card.spoil === "repeat-first") await flipBit(card, first, 0)
    let { errors, range } = differences(
      new Uint32Array(await readBack(card, first, 0, size)),
      mixed(count, ROUNDS),
    )
    let checked = 1
    do {
      await runOnce(card, into(again))
      if (card.spoil === "repeat" && checked === 2) await flipBit(card, again, size - WORD_BYTES)
      const { wrong, words } = await judged(card, tally => [
        bind(card, comparing, [again, tally, first], [size / STREAM_BYTES, 1]),
      ])
      errors += wrong
      range = widened(range, words)
      checked += 1
      onRound(checked)
    } while (checked < 3 || elapsed() < seconds)
    return { test: "repeated-kernel", checked, seconds: elapsed(), errors, range }
  } finally {
    first.destroy()
    again.destroy()
  }
}

function differences(found: Uint32Array, right: Uint32Array): Pick<Soundness, "errors" | "range"> {
  let errors = 0
  let range: Soundness["range"] = null
  found.forEach((word, at) => {
    if (word === right[at]) return
    errors += 1
    range = widened(range, [at, at])
  })
  return { errors, range }
}

/** @param words first and last, by their number. */
function widened(range: Soundness["range"], words: readonly [number, number] | null): Soundness["range"] {
  if (words === null) return range
  const [first, last] = [words[0] * WORD_BYTES, (words[1] + 1) * WORD_BYTES - 1]
  return range === null ? [first, last] : [Math.min(range[0], first), Math.max(range[1], last)]
}
