import { type DetectedGpu, UNREPORTED } from "../../../../src/runtime/host/gpu.ts"

/** A card, as far as a meter cares. */
export const CARD: DetectedGpu = {
  ...UNREPORTED,
  index: 0,
  vendor: "nvidia",
  clocksMhz: { ...UNREPORTED.clocksMhz },
  pcie: { ...UNREPORTED.pcie },
  backends: ["cuda"],
  health: "ok",
  offerable: true,
  reasons: [],
}
