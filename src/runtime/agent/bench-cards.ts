import type { CapacityReport, Depth } from "../../protocol/capacity-report.ts"
import { type CardResult, stateOf } from "../bench/gpu/card-result.ts"
import { type CardWatch, measureAlone, measureSoftware, measureTogether } from "../bench/gpu/measure-cards.ts"
import { FULL, type Plan, QUICK, STANDARD } from "../bench/gpu/plan.ts"
import { openRig } from "../bench/gpu/rig.ts"
import { joinTimeline, thinned } from "../bench/gpu/timeline.ts"
import { unmeasured } from "../bench/host/figure.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import { identitiesOf } from "../host/identity-of.ts"
import type { Sample } from "../host/telemetry/sample.ts"
import { PERIOD_MS, startTelemetry, type Telemetry } from "../host/telemetry/telemetry.ts"

type Card = CapacityReport["cards"][number]

export interface CardsOptions {
  gpus: DetectedGpu[]
  depth: Depth
  /** Where sysfs is mounted. */
  sysfs: string
}

const PLANS: Record<Depth, Plan> = { quick: QUICK, standard: STANDARD, full: FULL }
const PROC = "/proc"
const MOMENTS = 100
const TEXT_CHARS = 200
const MESSAGE_CHARS = 400

/**
 * Each card by itself, then all of them at once; without a card the software adapter, if there is one, to show that the way works.
 * @throws the signal's reason, when nothing runs on any card any more.
 */
export async function measureCards(
  { gpus, depth, sysfs }: CardsOptions,
  watch: CardWatch,
): Promise<Pick<CapacityReport, "cards" | "software">> {
  const plan = PLANS[depth]
  if (gpus.length === 0) return { cards: [], software: softwareOf(await measureSoftware(plan, watch)) }
  const rig = await openRig(gpus, { sysfs, proc: PROC })
  const identities = identitiesOf(gpus)
  const cards: Card[] = []
  for (const [at, gpu] of gpus.entries()) {
    const identity = identities[at] ?? `index:${at}`
    const { result, samples } = await sampled(gpus, identity, sysfs, watch, () =>
      measureAlone(rig, gpu, plan, watch),
    )
    cards.push(cardOf(gpu, identity, result, samples))
  }
  return { cards: await withOthers(cards, gpus, () => measureTogether(rig, gpus, plan, watch)), software: [] }
}

/** Measures while the card tells of itself. */
async function sampled<Result>(
  gpus: DetectedGpu[],
  identity: string,
  sysfs: string,
  { signal }: CardWatch,
  measure: () => Promise<Result>,
): Promise<{ result: Result; samples: Sample[] }> {
  const over = new AbortController()
  const telemetry = startTelemetry({ gpus, sysfs }, AbortSignal.any([signal, over.signal]))
  const samples: Sample[] = []
  const looking = setInterval(() => take(telemetry, identity, samples), PERIOD_MS / 2)
  try {
    return { result: await measure(), samples }
  } finally {
    clearInterval(looking)
    over.abort()
    await telemetry.ended
  }
}

function take(telemetry: Telemetry, identity: string, samples: Sample[]): void {
  const sample = telemetry.latest(identity)
  if (sample !== null && sample.at !== samples.at(-1)?.at) samples.push(sample)
}

function cardOf(gpu: DetectedGpu, identity: string, result: CardResult, samples: Sample[]): Card {
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

async function withOthers(
  cards: Card[],
  gpus: DetectedGpu[],
  measure: () => Promise<CardResult[]>,
): Promise<Card[]> {
  if (gpus.length < 2) return cards
  const results = await measure()
  return cards.map((card, at) => {
    const result = results[at]
    if (result === undefined) return card
    const faults = [...card.faults, ...faultsOf(result)]
    // What a card says of its figures when it is alone is said already.
    const state = card.state === "sound" && stateOf(result) === "degraded" ? "degraded" : card.state
    return { ...card, state, faults, together: result.measurements }
  })
}

function softwareOf({ adapter, measurements, unmeasured: missing }: CardResult): CapacityReport["software"] {
  if (adapter === null) return []
  return [
    {
      adapter,
      figures: measurements,
      unmeasured: missing.map(({ name, reason }) => unmeasured(name, reason)),
    },
  ]
}

function faultsOf({ faults }: CardResult): Card["faults"] {
  return faults.map(({ code, message, hint }) => {
    return { code, message: message.slice(0, MESSAGE_CHARS), hint: hint.slice(0, MESSAGE_CHARS) }
  })
}

function brief(text: string | null): string | null {
  return text === null ? null : text.slice(0, TEXT_CHARS)
}
