import type { FaultCode } from "../../protocol/fault.ts"
import type { EndState, Proved } from "../shard/state.ts"

/** A program that fails this soon did not fail at its work: it or the card cannot run here. */
export const QUICK_FAILURE_MS = 10_000

/** What keeps an image from running here at all, whichever shard it is. */
const IMAGE_CODES: readonly string[] = [
  "image-not-pulled",
  "image-missing",
  "image-unsafe",
  "image-unsigned",
  "image-too-large",
  "bad-image-reference",
] satisfies FaultCode[]

/** What can be the image's fault or the card's. */
const EITHER_CODES: readonly string[] = [
  "container-not-created",
  "container-lost",
  "gpu-unusable",
  // Others came to another result, or this run's was not shown: a card that errs, or a program whose results are never the same.
  "audit-failed",
] satisfies FaultCode[]

/** Whom the end of a shard speaks for or against. */
export type Verdict = "well" | "image" | "image-or-slot" | "nobody"

/**
 * What an end says of the image and of the slot. Most abandonments say nothing: the buyer's program was wrong, the marketplace took the
 * lease back, the network or the disk was at fault.
 * @param lastedMs how long the shard was in the state from which it ended.
 */
export function blame(end: Proved | EndState, lastedMs: number): Verdict {
  // That it ran here is known long before its audits are over.
  if (end.step === "proved" || end.step === "settled") return "well"
  if (IMAGE_CODES.includes(end.code)) return "image"
  if (EITHER_CODES.includes(end.code)) return "image-or-slot"
  const isQuick = end.code === "shard-failed" && end.from === "running" && lastedMs < QUICK_FAILURE_MS
  return isQuick ? "image-or-slot" : "nobody"
}
