import type { ThrottleReason } from "../../../protocol/throttle.ts"

/**
 * `struct gpu_metrics_v1_3` (Linux, drivers/gpu/drm/amd/include/kgd_pp_interface.h), little-endian: what discrete cards tell from Navi and
 * Arcturus on, from Linux 5.14 on. In versions before it the throttle status means something else on each chip; later ones count time instead.
 */
const V1_3 = { bytes: 120, format: 1, content: 3, throttleStatus: 112 } as const

/** Bits of `indep_throttle_status`: SMU_THROTTLER_*_BIT (Linux, drivers/gpu/drm/amd/pm/swsmu/inc/amdgpu_smu.h). */
const REASONS: readonly [bits: bigint, reason: ThrottleReason][] = [
  [bits(32, 47), "thermal"],
  // The last one is PPM, which manages power too.
  [bits(0, 7) | bits(56, 56), "power"],
  [bits(16, 23), "current"],
  // FIT: failures in time.
  [bits(57, 57), "reliability"],
]

/** What the driver fills the table with before it knows a value. */
const UNFILLED = bits(0, 63)

/** Why the card is throttled, from its `gpu_metrics`; null where that does not tell. */
export function throttleOf(metrics: Uint8Array): ThrottleReason[] | null {
  const view = new DataView(metrics.buffer, metrics.byteOffset, metrics.byteLength)
  const { bytes, format, content, throttleStatus } = V1_3
  if (view.byteLength !== bytes || view.getUint16(0, true) !== bytes) return null
  if (view.getUint8(2) !== format || view.getUint8(3) !== content) return null
  const status = view.getBigUint64(throttleStatus, true)
  if (status === UNFILLED) return null
  return REASONS.filter(([of]) => status & of).map(([, reason]) => reason)
}

function bits(first: number, last: number): bigint {
  return (1n << BigInt(last + 1)) - (1n << BigInt(first))
}
