import { isFault } from "../../protocol/fault.ts"
import type { Engine } from "../container/engine.ts"

/** How long the engines may take to list containers. */
const LIST_LIMIT_MS = 10_000

/** How many of this home's containers run; null where an engine does not tell. One that hangs does not stop them either. */
export async function countRunning(engines: readonly Engine[], home: string): Promise<number | null> {
  const signal = AbortSignal.timeout(LIST_LIMIT_MS)
  const running = new Set<string>()
  try {
    for (const engine of new Set(engines))
      for (const id of await engine.find({ home }, signal))
        if ((await engine.state(id, signal))?.status === "running") running.add(id)
    return running.size
  } catch (error) {
    if (isFault(error) || signal.aborted) return null
    throw error
  }
}
