import type { DetectedGpu } from "../../../../src/runtime/host/gpu.ts"
import { UNREPORTED } from "../../../../src/runtime/host/gpu.ts"

/** A card as detection would have found it. */
export function card(known: Partial<DetectedGpu>): DetectedGpu {
  return {
    index: 0,
    vendor: "nvidia",
    ...UNREPORTED,
    backends: [],
    health: "ok",
    offerable: true,
    reasons: [],
    ...known,
  }
}

export const addressOf = (bus: number) => `0000:${bus.toString(16).padStart(2, "0")}:00.0`
export const uuidOf = (bus: number) => `GPU-1234567${bus.toString(16)}-aaaa-bbbb-cccc-0123456789ab`

/** An NVIDIA card on this bus. */
export function nvidia(bus: number, known: Partial<DetectedGpu> = {}): DetectedGpu {
  return card({
    index: bus - 1,
    uuid: uuidOf(bus),
    pciAddress: addressOf(bus),
    vramTotalMiB: 10_240,
    ...known,
  })
}

/** What nvidia-smi prints of it. */
export function rowOf(
  bus: number,
  powerW: number | string = 100,
  {
    temperatureC = 61,
    throttle = "0x0000000000000000",
  }: { temperatureC?: number | string; throttle?: string } = {},
): string {
  const told = [temperatureC, 97, 4096, powerW, "320.00", "[N/A]", 1875, 9501, throttle]
  return `${[uuidOf(bus), ...told, `0000${addressOf(bus)}`].join(", ")}\n`
}

/** Waits for something that other processes do; the test's own limit ends it. */
export async function until<T>(look: () => T | null | undefined | false): Promise<T> {
  for (;;) {
    const seen = look()
    if (seen !== null && seen !== undefined && seen !== false) return seen
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
