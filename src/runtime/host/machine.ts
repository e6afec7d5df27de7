import os from "node:os"
import type { Machine } from "../../protocol/message.ts"
import { detectGpus } from "./detect-gpus.ts"

const MIB = 1 << 20

/** Looks at the machine as its owner will show it at enrolment. */
export async function lookAtMachine(sysfs: string, signal: AbortSignal): Promise<Machine> {
  // Loaded here because serving needs the rest of this file, and this library takes memory for as long as it runs.
  const { default: si } = await import("systeminformation")
  const [cpu, { gpus }] = await Promise.all([si.cpu(), detectGpus({ sysfs, signal })])
  return {
    platform: `${os.platform()} ${os.release()} ${os.arch()}`.slice(0, 80),
    cpu: `${cpu.manufacturer} ${cpu.brand}`.trim().slice(0, 200) || "unknown",
    cpus: os.availableParallelism(),
    memoryMiB: Math.floor(os.totalmem() / MIB),
    gpus: gpus.map(({ name, vendor, vramTotalMiB }) => ({
      model: (name ?? `unknown ${vendor} GPU`).slice(0, 200),
      vramMiB: vramTotalMiB === null ? null : Math.floor(vramTotalMiB),
    })),
  }
}
