import type { Watch } from "./figure.ts"

/** As many as Node has threads for files where nobody says otherwise. */
export const LANES = 4
/** A disk that answers nothing for so long hangs. */
const STALL_LIMIT_MS = 30_000

/** The disk took too long over one window. */
export class Stalled extends Error {
  override readonly name = "Stalled"
}

/** What was moved in how many seconds. */
export interface Moved {
  amount: number
  seconds: number
}

/**
 * Several lanes do one step after the other, each on its own, until the window is over.
 * @param step of one lane; gives what it came to, and 0 when there is no more to do.
 * @param settle what has to be done before the clock stops.
 * @throws Stalled, what `step` throws, the signal's reason.
 */
export async function inLanes(
  windowMs: number,
  { step, settle }: { step: (lane: number) => Promise<number>; settle: () => Promise<void> },
  { signal }: Pick<Watch, "signal">,
): Promise<Moved> {
  const started = performance.now()
  const over = new AbortController()
  const run = async (lane: number) => {
    let sum = 0
    while (!over.signal.aborted) {
      const amount = await step(lane)
      sum += amount
      if (amount === 0 || performance.now() - started >= windowMs) break
    }
    return sum
  }
  const all = async () => {
    const sums = await Promise.all(Array.from({ length: LANES }, (_, lane) => run(lane)))
    await settle()
    return {
      amount: sums.reduce((sum, one) => sum + one, 0),
      seconds: (performance.now() - started) / 1000,
    }
  }
  try {
    return await before(all(), windowMs + STALL_LIMIT_MS, signal)
  } finally {
    over.abort()
  }
}

/** What a call of the file system is doing cannot be ended: it is left to itself. */
async function before<T>(work: Promise<T>, limitMs: number, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const cut = Promise.withResolvers<never>()
  const abort = () => cut.reject(signal.reason)
  const late = setTimeout(() => cut.reject(new Stalled("the disk did not answer in time")), limitMs)
  signal.addEventListener("abort", abort, { once: true })
  try {
    return await Promise.race([work, cut.promise])
  } finally {
    work.catch(() => {})
    clearTimeout(late)
    signal.removeEventListener("abort", abort)
  }
}
