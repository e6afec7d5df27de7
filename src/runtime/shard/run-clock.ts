import { readFile } from "node:fs/promises"
import type { ContainerState } from "../container/engine.ts"

/** USER_HZ, in which Linux tells processes' times on every machine that we run on (proc_pid_stat(5)). */
const TICK_MS = 10

/** Milliseconds that a container has run by now. */
export type RunClock = () => number

/**
 * A clock of how long a container has run, which never jumps. What had passed before is asked of the kernel, by the time its first process
 * began (counted from the boot); where that process is not to be seen from here, by the machine's clock at this one moment.
 */
export async function startRunClock(
  id: string,
  { pid, startedAt }: Pick<ContainerState, "pid" | "startedAt">,
): Promise<RunClock> {
  const passedMs = (await processAgeMs(id, pid)) ?? Math.max(0, Date.now() - Date.parse(startedAt))
  const beganAt = performance.now() - passedMs
  return () => performance.now() - beganAt
}

/** Null for a process that is not this container's: an engine in a virtual machine numbers its own. */
async function processAgeMs(id: string, pid: number): Promise<number | null> {
  try {
    const read = (path: string) => readFile(path, "utf8")
    if (!(await read(`/proc/${pid}/cgroup`)).includes(id)) return null
    return ageMs(await read(`/proc/${pid}/stat`), await read("/proc/uptime"))
  } catch {
    return null
  }
}

/** From `/proc/<pid>/stat` (field 22, `starttime`) and `/proc/uptime`, both counted from the boot; null where they are none. */
export function ageMs(stat: string, uptime: string): number | null {
  // The second field is the program's name, which may hold anything, also `)`.
  const started = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) * TICK_MS
  const now = Number(uptime.split(" ")[0]) * 1000
  return Number.isFinite(started) && Number.isFinite(now) ? Math.max(0, now - started) : null
}

/** Two clocks differ a little, and a jump is larger than this. */
const JUMP_MS = 2000
/** Docker notes a start when the program may already have ended, and the times it tells are cut to milliseconds here. */
const LEAST_MS = 1

/**
 * When a container began and ended, in milliseconds since the epoch: as the engine tells, unless the machine's clock was set meanwhile.
 * One that ran has run for some time, by which it is paid.
 * @param ranMs by a {@link RunClock}; null when nobody watched.
 */
export function timesOf(
  { startedAt, finishedAt }: Pick<ContainerState, "startedAt" | "finishedAt">,
  ranMs: number | null,
): { started: number; finished: number } {
  const started = Date.parse(startedAt)
  const told = Math.max(LEAST_MS, Date.parse(finishedAt) - started)
  const ran = ranMs !== null && Math.abs(told - ranMs) > JUMP_MS ? Math.round(ranMs) : told
  return { started, finished: started + ran }
}
