import type { CapacityReport, CardReport, Depth } from "../../protocol/capacity-report.ts"
import { type CardResult, wasStopped } from "../bench/gpu/card-result.ts"
import { type HeatWatch, watchHeat } from "../bench/gpu/heat-watch.ts"
import { type CardWatch, measureAlone, measureSoftware, measureTogether } from "../bench/gpu/measure-cards.ts"
import { FULL, type Plan, QUICK, STANDARD } from "../bench/gpu/plan.ts"
import { openRig, type Rig } from "../bench/gpu/rig.ts"
import { unmeasured } from "../bench/host/figure.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import { identitiesOf } from "../host/identity-of.ts"
import type { Sample } from "../host/telemetry/sample.ts"
import { startTelemetry, type Telemetry } from "../host/telemetry/telemetry.ts"
import { cardReport, withTogether } from "./card-report.ts"

export interface CardsOptions {
  gpus: DetectedGpu[]
  depth: Depth
  /** Where sysfs is mounted. */
  sysfs: string
  /** The owner's rule `bench.maxTemperatureC`; null where there is none. */
  maxTemperatureC: number | null
}

const PLANS: Record<Depth, Plan> = { quick: QUICK, standard: STANDARD, full: FULL }
const PROC = "/proc"

/**
 * Each card by itself, then all of them at once; without a card the software adapter, if there is one, to show that the way works. A card that
 * is hotter than its owner allows is stopped, and left out when all are measured.
 * @throws the signal's reason, when nothing runs on any card any more.
 */
export async function measureCards(
  { gpus, depth, sysfs, maxTemperatureC }: CardsOptions,
  watch: CardWatch,
): Promise<Pick<CapacityReport, "cards" | "software">> {
  const plan = PLANS[depth]
  if (gpus.length === 0) return { cards: [], software: softwareOf(await measureSoftware(plan, watch)) }
  const rig = await openRig(gpus, { sysfs, proc: PROC })
  const over = new AbortController()
  const telemetry = startTelemetry({ gpus, sysfs }, AbortSignal.any([watch.signal, over.signal]))
  const bench = { rig, plan, telemetry, maxTemperatureC, watch }
  const identities = identitiesOf(gpus)
  try {
    const alone: Measured[] = []
    for (const [at, gpu] of gpus.entries())
      alone.push(await measureOne(bench, gpu, identities[at] ?? `index:${at}`))
    return { cards: await measureAll(bench, alone), software: [] }
  } finally {
    over.abort()
    await telemetry.ended
  }
}

interface Bench {
  rig: Rig
  plan: Plan
  telemetry: Telemetry
  maxTemperatureC: number | null
  watch: CardWatch
}

interface Measured {
  gpu: DetectedGpu
  identity: string
  result: CardResult
  report: CardReport
}

async function measureOne(bench: Bench, gpu: DetectedGpu, identity: string): Promise<Measured> {
  const { rig, plan, telemetry, watch } = bench
  const samples: Sample[] = []
  using _listening = telemetry.listen(identity, sample => samples.push(sample))
  using heat = heatOf(bench, identity)
  await heat?.begin(watch.signal)
  const result = await measureAlone(rig, gpu, plan, { ...watch, stopOf: () => heat?.stop })
  return { gpu, identity, result, report: cardReport(gpu, identity, result, samples) }
}

async function measureAll(bench: Bench, alone: readonly Measured[]): Promise<CardReport[]> {
  const { rig, plan, watch } = bench
  // All at once is hotter still.
  const cool = alone.filter(({ result }) => !wasStopped(result))
  if (cool.length < 2) return alone.map(({ report }) => report)
  using heats = new DisposableStack()
  const heatByCard = new Map(cool.map(({ gpu, identity }) => [gpu, heats.use(heatOf(bench, identity))]))
  await Promise.all([...heatByCard.values()].map(heat => heat?.begin(watch.signal)))
  const stopOf = (gpu: DetectedGpu | null) => (gpu === null ? undefined : heatByCard.get(gpu)?.stop)
  const gpus = cool.map(({ gpu }) => gpu)
  const together = await measureTogether(rig, gpus, plan, { ...watch, stopOf })
  return alone.map(({ gpu, report }) => {
    const result = together[gpus.indexOf(gpu)]
    return result === undefined ? report : withTogether(report, result)
  })
}

function heatOf({ telemetry, maxTemperatureC }: Bench, identity: string): HeatWatch | null {
  return maxTemperatureC === null ? null : watchHeat({ telemetry, identity, mostC: maxTemperatureC })
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
