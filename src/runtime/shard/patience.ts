import pRetry from "p-retry"
import { isFault } from "../../protocol/fault.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import type { Engine } from "../container/engine.ts"

/** How long an engine may be away: a restart of its service, an update of its package, or its owner's hand. */
export const ENGINE_LIMIT_MS = 600_000
/** How long finished work waits for room on the disk. */
export const ROOM_LIMIT_MS = 600_000
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5000
/** An engine that answers every question and breaks off every work is not away: it is broken. */
const ROUNDS_LIMIT = 10

/** Words of the engine's client when the connection to the engine broke, or the engine was about to end. */
const BROKEN =
  /cannot connect|error during connect|connection (refused|reset)|broken pipe|\bEOF\b|daemon is shutting down|context (canceled|deadline exceeded)|transport is closing|server is not running/i

/** What shows whether an engine answers. */
type Asked = Pick<Engine, "find">

/**
 * Does what an engine is needed for, again from its start each time the engine was away meanwhile: so it has to be safe to do twice.
 * @throws what `work` throws while the engine is there; Fault `engine-*` when the engine does not come back within `limitMs`.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  engine: Asked,
  signal: AbortSignal,
  limitMs = ENGINE_LIMIT_MS,
): Promise<T> {
  for (let round = 1; ; round++) {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (round >= ROUNDS_LIMIT || !(await wasAway(error, engine, signal))) throw error
      await untilThere(engine, signal, limitMs)
    }
  }
}

/** Resolves when the engine answers. */
function untilThere(engine: Asked, signal: AbortSignal, limitMs: number): Promise<unknown> {
  return untilDone(() => engine.find({ lease: "none" }, signal), {
    signal,
    limitMs,
    isWorthwhile: isFromEngine,
  })
}

/** Does work again until there is room on the disk for what it writes. Throws Fault `disk-full` after {@link ROOM_LIMIT_MS}. */
export function untilRoom<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  limitMs = ROOM_LIMIT_MS,
): Promise<T> {
  const attempt = () =>
    work().catch(error => {
      throw asDiskFull(error, "the state folder")
    })
  return untilDone(attempt, { signal, limitMs, isWorthwhile: error => isFault(error, "disk-full") })
}

interface Trying {
  signal: AbortSignal
  /** From the first failure on, in milliseconds. */
  limitMs: number
  isWorthwhile: (error: unknown) => boolean
}

/** Tries again, with longer and longer pauses, what ends with an error that can go away by itself. Throws the last one. */
async function untilDone<T>(
  attempt: () => Promise<T>,
  { signal, limitMs, isWorthwhile }: Trying,
): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    signal.throwIfAborted()
    if (!isWorthwhile(error)) throw error
  }
  return pRetry(attempt, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: FIRST_PAUSE_MS,
    maxTimeout: LONGEST_PAUSE_MS,
    maxRetryTime: limitMs,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => isWorthwhile(error),
  })
}

/** Whether the work failed for want of the engine: it said so, its client did, or it does not answer now. */
async function wasAway(error: unknown, engine: Asked, signal: AbortSignal): Promise<boolean> {
  if (!isFault(error)) return false
  if (isFromEngine(error)) return true
  if (error.area !== "container") return false
  if (BROKEN.test(String(error.facts.stderr ?? ""))) return true
  return engine.find({ lease: "none" }, signal).then(() => false, isFromEngine)
}

function isFromEngine(error: unknown): boolean {
  return isFault(error, "engine-silent", "engine-refused", "engine-missing")
}
