import type { CardReport } from "../../protocol/capacity-report.ts"
import { type CardResult, stateOf } from "../bench/gpu/card-result.ts"
import { joinTimeline, thinned } from "../bench/gpu/timeline.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import type { Sample } from "../host/telemetry/sample.ts"

const MOMENTS = 100
const TEXT_CHARS = 200
const MESSAGE_CHARS = 400

/** A card as a report has it. @param samples what it told of itself meanwhile. */
export function cardReport(
  gpu: DetectedGpu,
  identity: string,
  result: CardResult,
  samples: Sample[],
): CardReport {
  const { vendor, name, uuid, pciAddress, pciId, pciRevision, vramTotalMiB, driverVersion } = gpu
  return {
    identity: identity.slice(0, TEXT_CHARS),
    vendor,
    ...{ name: brief(name), uuid: brief(uuid), driver: brief(driverVersion) },
    ...{ pciAddress, pciId, pciRevision },
    vramMiB: vramTotalMiB === null ? null : Math.floor(vramTotalMiB),
    adapter: result.adapter,
    state: stateOf(result),
    ...{
      figures: result.measurements,
      together: [],
      unmeasured: result.unmeasured,
      soundness: result.soundness,
    },
    faults: faultsOf(result),
    timeline: thinned(joinTimeline(result.rates, samples), MOMENTS),
  }
}

/** What was found with all cards at work is added. */
export function withTogether(card: CardReport, result: CardResult): CardReport {
  const faults = [...card.faults, ...faultsOf(result)]
  // What a card says of its figures when it is alone is said already.
  const state = card.state === "sound" && stateOf(result) === "degraded" ? "degraded" : card.state
  return { ...card, state, faults, together: result.measurements }
}

function faultsOf({ faults }: CardResult): CardReport["faults"] {
  return faults.map(({ code, message, hint }) => {
    return { code, message: message.slice(0, MESSAGE_CHARS), hint: hint.slice(0, MESSAGE_CHARS) }
  })
}

function brief(text: string | null): string | null {
  return text === null ? null : text.slice(0, TEXT_CHARS)
}
