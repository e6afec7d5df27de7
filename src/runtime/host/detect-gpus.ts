import { detectAmd } from "./amd/detect.ts"
import type { DetectedGpu, Detection } from "./gpu.ts"
import { detectIntel } from "./intel/detect.ts"
import { detectNvidia } from "./nvidia/detect.ts"
import { undrivenNvidia } from "./nvidia/undriven.ts"

export interface DetectOptions {
  /** Where sysfs is mounted. */
  sysfs: string
  signal: AbortSignal
}

/** Every GPU of this machine, in the order of their PCI addresses, from all sources at once. */
export async function detectGpus({ sysfs, signal }: DetectOptions): Promise<Detection> {
  const found = await Promise.all([
    detectNvidia({ signal }),
    detectAmd({ sysfs, signal }),
    detectIntel({ sysfs, signal }),
  ])
  const [nvidia] = found
  const undriven = await undrivenNvidia(sysfs, nvidia.gpus)
  const gpus = [...found.flatMap(detection => detection.gpus), ...undriven].sort(byPlace)
  return {
    gpus: gpus.map((gpu, index) => ({ ...gpu, index })),
    problems: found.flatMap(detection => detection.problems),
  }
}

/** Cards without a known place come last, as their source listed them. */
function byPlace(a: DetectedGpu, b: DetectedGpu): number {
  if (a.pciAddress === null || b.pciAddress === null) {
    return Number(a.pciAddress === null) - Number(b.pciAddress === null)
  }
  return a.pciAddress < b.pciAddress ? -1 : 1
}
