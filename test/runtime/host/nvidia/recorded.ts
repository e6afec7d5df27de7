import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"

const FOLDER = join(import.meta.dirname, "../../../recorded/nvidia")

export function recorded(file: string): string {
  return readFileSync(join(FOLDER, file), "utf8")
}

export function recordings(): string[] {
  return readdirSync(FOLDER).filter(file => file.endsWith(".xml"))
}

/** A healthy card that reports nothing but what is given. */
export function card(known: Partial<DetectedGpu>): DetectedGpu {
  return {
    index: 0,
    vendor: "nvidia",
    name: null,
    uuid: null,
    pciAddress: null,
    vramTotalMiB: null,
    vramUsedMiB: null,
    driverVersion: null,
    temperatureC: null,
    utilizationPct: null,
    powerDrawW: null,
    powerLimitW: null,
    fanPct: null,
    clocksMhz: { core: null, memory: null },
    pcie: { gen: null, width: null, maxWidth: null },
    computeCapability: null,
    gfxTarget: null,
    renderNode: null,
    backends: ["cuda"],
    mig: null,
    health: "ok",
    offerable: true,
    reasons: [],
    ...known,
  }
}
