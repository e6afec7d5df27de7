import { positive, quantity } from "./reading.ts"
import { at, leaves, type Node, text } from "./record.ts"

/** 535 renamed the group; `module_power_readings` is a superchip's whole board, not the GPU. */
const GROUPS = ["gpu_power_readings", "power_readings"]
/** What CSV's `power.draw` means: the average, else the instant. Turing has no average. */
const DRAWS = ["power_draw", "average_power_draw", "instant_power_draw"]
const LIMITS = ["enforced_power_limit", "current_power_limit", "power_limit", "requested_power_limit"]
/** Ceilings of something else than the GPU. */
const OTHERS = /memory|module|edpp|smoothing|profile/

/** Watts that the GPU draws. */
export function powerDraw(root: Node): number | null {
  for (const group of GROUPS) {
    for (const element of DRAWS) {
      const draw = quantity(text(root, group, element), "W")
      if (draw !== null) return draw
    }
  }
  return null
}

/** The limit in force in watts; 610 puts it one level deeper (`gpu_ceiling_power_limit`). */
export function powerLimit(root: Node): number | null {
  for (const group of GROUPS) {
    const printed = leaves(at(root, group)).filter(({ path }) => !path.some(name => OTHERS.test(name)))
    for (const element of LIMITS) {
      for (const leaf of printed) {
        const limit = leaf.path.at(-1) === element ? positive(leaf.text, "W") : null
        if (limit !== null) return limit
      }
    }
  }
  return null
}
