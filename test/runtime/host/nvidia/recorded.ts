import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type DetectedGpu, UNREPORTED } from "../../../../src/runtime/host/gpu.ts"

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
    ...UNREPORTED,
    backends: ["cuda"],
    health: "ok",
    offerable: true,
    reasons: [],
    ...known,
  }
}
