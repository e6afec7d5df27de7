import { z } from "zod"

/**
 * Why a card runs slower than it was made to, whoever made it. An idle card, and one whose owner has set its clocks, is not throttled.
 *
 * `thermal`: too hot. `power`: at its power limit, as most cards under full load are. `current`: at a limit of its current.
 * `power-brake`: the power supply told it to. `hardware-slowdown`: its hardware halved its clocks, without a reason told.
 * `reliability`: more voltage would wear it out.
 */
export const ThrottleReason = z.enum([
  "thermal",
  "power",
  "current",
  "power-brake",
  "hardware-slowdown",
  "reliability",
])
export type ThrottleReason = z.infer<typeof ThrottleReason>
