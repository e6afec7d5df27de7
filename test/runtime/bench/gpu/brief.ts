import { readdir, readFile } from "node:fs/promises"
import type { Plan } from "../../../../src/runtime/bench/gpu/plan.ts"
import { type DetectedGpu, UNREPORTED } from "../../../../src/runtime/host/gpu.ts"

const MIB = 2 ** 20

/** As little as shows that each part works. */
export const NOTHING: Plan = {
  figures: [],
  budget: { warmUps: 0, repeats: 3, windowMs: 5, limitMs: 5000 },
  mostRows: 256,
  arrayBytes: 2 * MIB,
  copyBytes: MIB,
  vram: null,
  repeat: null,
  sustainSeconds: null,
  isPaced: false,
  injection: null,
}

export function gpu(change: Partial<DetectedGpu> = {}): DetectedGpu {
  return {
    ...UNREPORTED,
    index: 0,
    vendor: "nvidia",
    clocksMhz: { ...UNREPORTED.clocksMhz },
    pcie: { ...UNREPORTED.pcie },
    backends: ["vulkan"],
    health: "ok",
    offerable: true,
    reasons: [],
    ...change,
  }
}

/** Processes that this one has started and that still are, by what they run. */
export async function childrenRunning(program: string): Promise<string[]> {
  const threads = await readdir("/proc/self/task")
  const lists = await Promise.all(
    threads.map(thread => readFile(`/proc/self/task/${thread}/children`, "utf8").catch(() => "")),
  )
  const pids = lists.flatMap(list => list.split(" ").filter(pid => pid !== ""))
  const commands = await Promise.all(
    pids.map(pid => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  )
  return commands.filter(command => command.includes(program))
}
