import { readFile, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { Fault } from "../../protocol/fault.ts"
import { Timestamp } from "../../protocol/lease.ts"
import { writeAtomically } from "../../store/atomic-file.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import type { Home } from "./home.ts"

/**
 * How long the leases of paused shards are renewed, in milliseconds: an evening's game may be longer, but a buyer waits for the result,
 * and a round of training waits for its slowest shard.
 */
export const PAUSE_LIMIT_MS = 3_600_000

/** What the owner wants of a serving agent. Times are RFC 3339. */
export type Mode =
  | { mode: "serving" }
  /** Nothing runs and nothing is taken; the shards on the road wait. */
  | { mode: "paused"; since: string }
  /** Nothing is taken; when the last shard has ended, the agent ends. */
  | { mode: "draining"; since: string }

/** @returns the pause that this home was left in, if any. Whatever stands in the file: that it is there is what the owner asked for. */
export async function readPause({ pause }: Pick<Home, "pause">): Promise<Mode> {
  try {
    const { mtime } = await stat(pause)
    const since = Timestamp.safeParse((await readFile(pause, "utf8")).trim())
    return { mode: "paused", since: since.data ?? mtime.toISOString() }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { mode: "serving" }
    throw error
  }
}

/** A pause outlives the agent: a machine that is started again must not start work while its owner uses it. @throws Fault `disk-full`. */
export async function keepMode({ pause }: Pick<Home, "pause">, mode: Mode): Promise<void> {
  try {
    if (mode.mode === "paused") await writeAtomically(pause, `${mode.since}\n`)
    else await rm(pause, { force: true })
  } catch (error) {
    throw asDiskFull(error, dirname(pause))
  }
}

/**
 * How long the paused shards' leases are still kept, in milliseconds.
 * @param nowMs milliseconds since 1970. A clock that went back cannot make the pause longer than its limit.
 */
export function pauseLeftMs(since: string, nowMs: number, limitMs: number): number {
  return Math.min(limitMs, Math.max(0, Date.parse(since) + limitMs - nowMs))
}

/** The fault with which a shard ends that was paused for too long. */
export function pausedTooLong(limitMs: number): Fault {
  return new Fault(
    "shard-paused-too-long",
    `The shard was paused for longer than ${Math.round(limitMs / 60_000)} minutes, for which leases are kept.`,
    {
      hint: "Nothing to do: somebody else may take it. Resume within the time, or drain before a long pause.",
    },
  )
}
