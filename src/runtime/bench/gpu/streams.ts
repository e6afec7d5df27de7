import { allocateStorage, bind, type Card, compile, flipBit, judged, type Kernel, runOnce } from "./card.ts"
import type { Exercise } from "./exercise.ts"
import { openStopwatch } from "./stopwatch.ts"
import { fillOperand, judgeStream, STREAM_BYTES, type Stream, stream } from "./wgsl/stream.ts"

/** Arrays read or written by each; bytes are counted as STREAM does (McCalpin, https://www.cs.virginia.edu/stream/ref.html). */
const ARRAYS = { copy: 2, triad: 3 } as const

/**
 * Moves arrays through the card's memory.
 * @param size bytes of an array, a multiple of {@link STREAM_BYTES} and much more than the card's caches hold.
 * @throws Unavailable.
 */
export async function prepareStream(card: Card, kind: Stream, size: number): Promise<Exercise> {
  const buffers: GPUBuffer[] = []
  const stopwatch = await openStopwatch(card)
  const dispose = () => {
    for (const buffer of buffers) buffer.destroy()
    stopwatch[Symbol.dispose]()
  }
  const name = `memory-${kind}`
  try {
    for (let count = 0; count < ARRAYS[kind]; count++) buffers.push(await allocateStorage(card, size))
    const [result, ...operands] = buffers
    if (!result) throw new TypeError("a result")
    const over = async (code: string, ...bound: GPUBuffer[]): Promise<Kernel> =>
      bind(card, await compile(card, code), bound, [size / STREAM_BYTES, 1])
    for (const [at, operand] of operands.entries()) {
      await runOnce(card, await over(fillOperand(at === 0 ? "B" : "C"), operand))
    }
    const kernel = await over(stream(kind), ...buffers)
    const judging = await compile(card, judgeStream(kind))
    return {
      name,
      unit: "B/s",
      get clock() {
        return stopwatch.clock
      },
      amount: ARRAYS[kind] * size,
      run: count => stopwatch.time(kernel, count),
      async clear() {
        const encoder = card.device.createCommandEncoder()
        encoder.clearBuffer(result)
        card.device.queue.submit([encoder.finish()])
      },
      async check() {
        if (card.spoil === name) await flipBit(card, result, size - 4)
        const { wrong, words } = await judged(card, tally => [
          bind(card, judging, [result, tally], [size / STREAM_BYTES, 1]),
        ])
        return words === null
          ? null
          : `after a ${kind} ${wrong} words are wrong, the first at byte ${4 * words[0]}`
      },
      [Symbol.dispose]: dispose,
    }
  } catch (error) {
    dispose()
    throw error
  }
}
