import type { ThrottleReason } from "../../../protocol/throttle.ts"
import type { Printed } from "./reading.ts"

/**
 * Bits of NVML's `nvmlClocksEventReasons` (nvml.h). The others are no throttling: an idle card (0x1), clocks that its owner set (0x2), those of
 * its boost group (0x10) and of a display (0x100).
 */
const REASONS: readonly [bits: bigint, reason: ThrottleReason][] = [
  [0x20n | 0x40n, "thermal"],
  [0x4n, "power"],
  [0x80n, "power-brake"],
]

/** Stands with the next two where the driver tells them apart. */
const HW_SLOWDOWN = 0x8n
const HW_REASONS = 0x40n | 0x80n

/** What a card on its way off the bus answers. */
const ALL_BITS = 2n ** 64n - 1n

/** Reads `0x0000000000000024`, as `clocks_event_reasons.active` is printed; null for everything that is no such mask. */
export function throttleOf(printed: Printed): ThrottleReason[] | null {
  const [mask] = printed?.trim().match(/^0x[0-9a-f]{1,16}$/i) ?? []
  if (mask === undefined || BigInt(mask) === ALL_BITS) return null
  const active = BigInt(mask)
  const told = REASONS.filter(([of]) => active & of).map(([, reason]) => reason)
  return active & HW_SLOWDOWN && !(active & HW_REASONS) ? [...told, "hardware-slowdown"] : told
}
