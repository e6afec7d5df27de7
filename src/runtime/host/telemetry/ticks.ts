import { setTimeout as sleep } from "node:timers/promises"

/** Calls once a period, from now on until the signal aborts; a late call does not make the later ones late, and none is made up for. */
export async function everyPeriod(periodMs: number, call: () => void, signal: AbortSignal): Promise<void> {
  const start = performance.now()
  while (!signal.aborted) {
    call()
    const elapsed = performance.now() - start
    const next = (Math.floor(elapsed / periodMs) + 1) * periodMs
    await sleep(next - elapsed, undefined, { signal }).catch(() => {})
  }
}
