import { open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { isFault } from "../../../protocol/fault.ts"
import { printable } from "../../container/docker.ts"
import type { Engine } from "../../container/engine.ts"
import { type Placement, sandboxArgs } from "../../container/sandbox.ts"
import { parseProgress } from "../../shard/progress.ts"
import { afterWarmUp, type Told, type WarmUp } from "./step-rate.ts"

/** What the trainer may spend. */
export interface WorkBudget {
  /** Until its first step: a container's start, and PyTorch's. */
  startLimitMs: number
  warmUp: WarmUp
  /** What counts after the warm-up. */
  windowMs: number
  /** From its first step on, whatever has come by then. */
  limitMs: number
}

/** How the trainer was ended. */
export type Watched = { told: Told[] } & (
  | { end: "window" | "start limit" | "limit" }
  | { end: "by itself"; exitCode: number | null; oomKilled: boolean; said: string }
)

const REMOVE_LIMIT_MS = 30_000
const SAID_CHARS = 200

/**
 * Makes a container, starts it, and reads its progress until the window after the warm-up is full or time is up. The container is
 * removed in any case, also when the caller has given up.
 * @param root a folder for what the container says at its end.
 * @param onTold is called with all that counts so far.
 * @throws Fault `container-not-created`, `container-lost`, `engine-*`; the signal's reason.
 */
export async function watchSteps(
  { engine, placement, root }: { engine: Engine; placement: Placement; root: string },
  budget: WorkBudget,
  { signal, onTold }: { signal: AbortSignal; onTold: (counted: readonly Told[]) => void },
): Promise<Watched> {
  try {
    const id = await engine.create(sandboxArgs(placement), signal)
    await engine.start(id, signal)
    const told: Told[] = []
    const end = await follow(engine, id, { told, budget, signal, onTold })
    if (end !== "by itself") return { told, end }
    return { told, end, ...(await howItEnded(engine, id, root, signal)) }
  } finally {
    // By its labels, for a creation may be cut off before it tells the id.
    await removeOrLeave(engine, placement)
  }
}

interface Following {
  told: Told[]
  budget: WorkBudget
  signal: AbortSignal
  onTold: (counted: readonly Told[]) => void
}

async function follow(engine: Engine, id: string, following: Following): Promise<Watched["end"]> {
  const { told, budget, signal, onTold } = following
  const over = new AbortController()
  let late = setTimeout(() => over.abort(), budget.startLimitMs)
  try {
    for await (const line of engine.logs(id, "all", AbortSignal.any([signal, over.signal]))) {
      const progress = parseProgress(line)
      if (progress === null) continue
      if (told.length === 0) {
        clearTimeout(late)
        late = setTimeout(() => over.abort(), budget.limitMs)
      }
      told.push({ ...progress, monoMs: performance.now(), wallMs: Date.now() })
      const counted = afterWarmUp(told, budget.warmUp)
      onTold(counted)
      if (spanMs(counted) >= budget.windowMs) return "window"
    }
    return "by itself"
  } catch (error) {
    if (signal.aborted || !over.signal.aborted) throw error
    return told.length === 0 ? "start limit" : "limit"
  } finally {
    clearTimeout(late)
  }
}

/** From the first of these lines to the last. */
export function spanMs(told: readonly Told[]): number {
  const [first, last] = [told[0], told.at(-1)]
  return first === undefined || last === undefined ? 0 : last.monoMs - first.monoMs
}

async function howItEnded(engine: Engine, id: string, root: string, signal: AbortSignal) {
  const path = join(root, "said")
  const file = await open(path, "w", 0o600)
  try {
    await engine.saveLog(id, file.fd, signal)
  } finally {
    await file.close()
  }
  const last = (await readFile(path, "utf8")).trim().split("\n").at(-1) ?? ""
  const state = await engine.state(id, signal)
  const { exitCode = null, oomKilled = false } = state ?? {}
  return { exitCode, oomKilled, said: printable(last).slice(-SAID_CHARS) }
}

/** What an engine in trouble does not remove carries the agent's label, and the sweep at its next start finds it. */
async function removeOrLeave(engine: Engine, { labels }: Placement): Promise<void> {
  const limit = AbortSignal.timeout(REMOVE_LIMIT_MS)
  try {
    await engine.removeAll(labels, limit)
  } catch (error) {
    if (!isFault(error) && error !== limit.reason) throw error
  }
}
