import { readFileSync, statfsSync } from "node:fs"
import { monitorEventLoopDelay } from "node:perf_hooks"

const MIB = 2 ** 20
const SAMPLE_MS = 50

/** The most that this machine and this process suffered while something ran. */
export interface Harm {
  /** How far MemAvailable fell. */
  memoryMiB: number
  /** How far the free space fell, on the worse of the disks. */
  diskMiB: number
  /** The latest that a timer of this process was. */
  lateMs: number
}

/**
 * What no hostile shard may go beyond. Other work on this machine counts into them too, so that they are far above what a bomb does
 * (the table says what) and far below what would hurt: the agent's own limits are seconds.
 */
export const BOUNDS: Harm = { memoryMiB: 1024, diskMiB: 2048, lateMs: 5000 }

/** Runs something and measures around it. @param folders on the disks that could fill. */
export async function measured<T>(
  folders: string[],
  run: () => Promise<T>,
): Promise<{ result: T; harm: Harm }> {
  const [memory, disk] = [memoryMiB(), folders.map(freeMiB)]
  const harm: Harm = { memoryMiB: 0, diskMiB: 0, lateMs: 0 }
  const sample = () => {
    harm.memoryMiB = Math.max(harm.memoryMiB, memory - memoryMiB())
    for (const [at, folder] of folders.entries())
      harm.diskMiB = Math.max(harm.diskMiB, (disk[at] ?? 0) - freeMiB(folder))
  }
  const delay = monitorEventLoopDelay({ resolution: 20 })
  const timer = setInterval(sample, SAMPLE_MS)
  delay.enable()
  try {
    const result = await run()
    sample()
    harm.lateMs = delay.max / 1e6
    return { result, harm }
  } finally {
    clearInterval(timer)
    delay.disable()
  }
}

function memoryMiB(): number {
  return Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 1024
}

function freeMiB(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return (bavail * bsize) / MIB
}
