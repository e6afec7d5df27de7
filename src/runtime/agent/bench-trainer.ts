import type { Logger } from "pino"
import type { CapacityReport, Depth } from "../../protocol/capacity-report.ts"
import { isFault } from "../../protocol/fault.ts"
import { ensureIdentity } from "../../store/identity.ts"
import { watchHeat } from "../bench/gpu/heat-watch.ts"
import { unmeasured, type Watch } from "../bench/host/figure.ts"
import { FULL_WORK, measureWork, QUICK_WORK, trainerFor } from "../bench/trainer/work.ts"
import { workloadFor } from "../bench/trainer/workload.ts"
import { chooseDisks } from "../container/disks.ts"
import type { Rules } from "../host/rules/rules.ts"
import { startTelemetry, type Telemetry } from "../host/telemetry/telemetry.ts"
import type { EngineWish } from "./choose-engine.ts"
import type { Home } from "./home.ts"
import { openEngines } from "./open-engines.ts"
import { openSlots } from "./open-slots.ts"
import type { ServedSlot } from "./slots.ts"

export interface TrainerOptions {
  home: Home
  /** What the owner gives of the machine; what `serve` would give where nothing is said. */
  given: { cpus?: number | undefined; memoryMiB?: number | undefined }
  isolation: Pick<EngineWish, "engine" | "runtime">
  rules: Rules
  /** Where sysfs is mounted. */
  sysfs: string
  log: Logger
}

type Work = NonNullable<CapacityReport["work"]>

/** The reference trainer in the sandbox that shards get, on the first card that `serve` would offer, or on the processor. */
export async function workOfTrainer(options: TrainerOptions, depth: Depth, watch: Watch): Promise<Work> {
  try {
    return await measure(options, depth, watch)
  } catch (error) {
    watch.signal.throwIfAborted()
    if (!isFault(error)) throw error
    const { name } = workloadFor("cpu")
    const why = unmeasured(name, `${error.message} ${error.hint}`)
    return { device: null, engine: null, isolation: null, figures: [], unmeasured: [why] }
  }
}

async function measure(
  { home, given, isolation, rules, sysfs, log }: TrainerOptions,
  depth: Depth,
  watch: Watch,
): Promise<Work> {
  const { signal } = watch
  const chosen = await openEngines({ ...isolation, gpus: true, signal }, log)
  const facts = (chosen.gpuEngine ?? chosen.engine).facts
  const offering = { gpus: "all" as const, cpuSlots: 1, ...given }
  const { minimumVersions, shards } = home
  const { slots, detected } = await openSlots(
    { offering, sysfs, engine: facts, minimumVersions, log },
    signal,
  )
  // Cards come first, and there is one slot at least.
  const [{ slot, berth }] = slots as [ServedSlot]
  const { cpus, memoryMiB, vramMiB } = slot
  const { device } = berth.placement
  const engine = device === "cpu" ? chosen.engine : (chosen.gpuEngine ?? chosen.engine)
  const sampling = new AbortController()
  const telemetry = startTelemetry({ gpus: detected, sysfs }, AbortSignal.any([signal, sampling.signal]))
  const identities = berth.gpus.map(telemetry.identify)
  using meter = telemetry.meter(identities)
  using heats = new DisposableStack()
  try {
    const heat = { telemetry, identities, mostC: rules.bench.maxTemperatureC, heats }
    const cool = await withinHeat(heat, signal)
    const { measurements, unmeasured } = await measureWork(
      {
        ...{
          engine,
          gpu: berth.placement,
          share: { cpus, memoryMiB, vramMiB },
          image: trainerFor(device),
          scratch: shards,
        },
        ...{ disks: await chooseDisks(shards, signal), rules },
        ...{ home: (await ensureIdentity(home.identity)).keyId, meter: device === "cpu" ? null : meter },
      },
      depth === "quick" ? QUICK_WORK : FULL_WORK,
      { ...watch, signal: cool },
    )
    const { name, version, runtime, isolation: level } = engine.facts
    const where = { device, engine: `${name} ${version}, ${runtime}`, isolation: level }
    return { ...where, figures: measurements, unmeasured }
  } finally {
    sampling.abort()
    await telemetry.ended
  }
}

interface Heat {
  telemetry: Telemetry
  /** Of the slot's cards; null for one that telemetry cannot tell. */
  identities: (string | null)[]
  mostC: number | null
  /** Holds what watches them. */
  heats: DisposableStack
}

/**
 * Aborts with the signal, and when a card is hotter than its owner allows or tells no temperature any more.
 * @throws Fault `gpu-too-hot` or `gpu-unwatched` where that is so already; the signal's reason.
 */
async function withinHeat(
  { telemetry, identities, mostC, heats }: Heat,
  signal: AbortSignal,
): Promise<AbortSignal> {
  if (mostC === null) return signal
  const watches = identities.map(identity => heats.use(watchHeat({ telemetry, identity, mostC })))
  await Promise.all(watches.map(heat => heat.begin(signal)))
  const cool = AbortSignal.any([signal, ...watches.map(heat => heat.stop)])
  cool.throwIfAborted()
  return cool
}
