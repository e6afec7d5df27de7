import { Digest, digestOf } from "../../../protocol/digest.ts"
import { isFault } from "../../../protocol/fault.ts"
import { randomId } from "../../../protocol/handshake.ts"
import type { Device, ShardSpec } from "../../../protocol/shard-spec.ts"
import { specDigest } from "../../../protocol/shard-spec.ts"
import type { Disks } from "../../container/disks.ts"
import type { Engine } from "../../container/engine.ts"
import type { GpuPlacement, Placement, ShardFolders } from "../../container/sandbox.ts"
import type { Rules } from "../../host/rules/rules.ts"
import type { Meter } from "../../host/telemetry/meter.ts"
import type { Figures, Watch } from "../host/figure.ts"
import { inPlace } from "./place.ts"
import { stepRates, type Told } from "./step-rate.ts"
import { spanMs, type WorkBudget, watchSteps } from "./watch-steps.ts"
import { figuresOf, none } from "./work-figures.ts"
import { type Share, tokensPerStep, type Workload, workloadFor, workSpec, workText } from "./workload.ts"

export const QUICK_WORK: WorkBudget = {
  ...{ startLimitMs: 120_000, warmUp: { steps: 10, ms: 500 } },
  ...{ windowMs: 4000, limitMs: 30_000 },
}
export const FULL_WORK: WorkBudget = {
  ...{ startLimitMs: 120_000, warmUp: { steps: 20, ms: 2000 } },
  ...{ windowMs: 20_000, limitMs: 60_000 },
}

export interface WorkOptions {
  /** The one that shards in this slot get: the engine of the cards for a card. */
  engine: Engine
  /** What the slot gives a container. */
  gpu: GpuPlacement
  share: Share
  disks: Disks
  rules: Rules
  /** The label by which this agent's containers are found. */
  home: string
  /**
   * An absolute path that the engine sees, best the home's folder for shards: what a program that is killed leaves there, the sweep of
   * the next start unmounts and removes, as it does the container. It is removed again if it was not there.
   */
  scratch: string
  /** The trainer's image, such as {@link trainerFor} names. */
  image: string
  /** Whether the image may be fetched from its registry where the engine does not have it. */
  mayPull?: boolean
  /** Of the slot's cards, begun before; null where none tells its power. */
  meter: Meter | null
}

export interface WorkFigures extends Figures {
  /** What was run; null where the engine does not have it. */
  image: Digest | null
  /** Steps that counted. */
  steps: number
}

/** The reference trainer for a device, as `images/trainer` is built. */
export function trainerFor(device: Device): string {
  return `zg-agent/trainer:${device}`
}

const GRACE_MS = 2000

/**
 * Real work: the reference trainer trains a small model from a seed, in the sandbox that shards of this slot get, with the owner's limits
 * and the slot's share of the machine. `trainer-…`: tokens a second, from one line of progress to the next; `trainer-…-energy`: tokens
 * for each joule of the cards. The container is gone afterwards, however it ends.
 * @throws Fault `engine-*`, `disk-full`; the signal's reason. What keeps the trainer from working is told as unmeasured.
 */
export async function measureWork(
  options: WorkOptions,
  budget: WorkBudget,
  watch: Watch,
): Promise<WorkFigures> {
  const workload = workloadFor(options.gpu.device)
  const nothing = (reason: string, image: Digest | null = null) => ({
    ...none(workload, reason),
    image,
    steps: 0,
  })
  const image = await imageOf(options, watch.signal)
  if (image === null) return nothing(absent(options))
  const volumes = await options.engine.images.volumesOf(image, watch.signal)
  if (volumes.length > 0) return nothing("The image declares volumes, which no limit would hold.", image)
  const text = workText()
  const spec = workSpec({
    ...{ workload, image, device: options.gpu.device, share: options.share, rules: options.rules },
    text: { digest: digestOf(text), size: text.length },
    timeMs: budget.startLimitMs + budget.limitMs,
  })
  const { scratch, disks } = options
  const run = (folders: ShardFolders, root: string) =>
    runIn({ options, workload, placement: placementOf(options, spec, folders), root }, budget, watch)
  try {
    return { ...(await inPlace({ scratch, disks, spec, text }, run, watch.signal)), image }
  } catch (error) {
    watch.signal.throwIfAborted()
    if (!isFault(error, "container-not-created", "container-lost")) throw error
    return nothing(`${error.message} ${error.hint}`, image)
  }
}

async function imageOf(
  { engine, image, mayPull = false }: WorkOptions,
  signal: AbortSignal,
): Promise<Digest | null> {
  const here = await engine.images.id(image, signal)
  if (here !== null || !mayPull) return here === null ? null : Digest.parse(here)
  try {
    await engine.images.pull(image, null, signal)
  } catch (error) {
    if (!isFault(error, "image-not-pulled")) throw error
    return null
  }
  const pulled = await engine.images.id(image, signal)
  return pulled === null ? null : Digest.parse(pulled)
}

function absent({ image, engine, mayPull = false }: WorkOptions): string {
  const { name } = engine.facts
  const why = mayPull ? "and could not pull it" : "and does not pull it by itself"
  return `The engine does not have the image ${image}, ${why}. Pull it (\`${name} pull\`) or build it from images/trainer, whose Dockerfile says how for each kind of card.`
}

function placementOf(
  { engine, gpu, home, rules }: WorkOptions,
  spec: ShardSpec,
  folders: ShardFolders,
): Placement {
  const { runtimeFlag } = engine.facts
  return {
    ...{ spec, folders, gpu, image: spec.image.digest, profile: rules.profile, graceMs: GRACE_MS },
    labels: { lease: randomId(), epoch: 1, spec: specDigest(spec), home },
    ...(runtimeFlag === null ? {} : { runtime: runtimeFlag }),
  }
}

interface Run {
  options: WorkOptions
  workload: Workload
  placement: Placement
  root: string
}

async function runIn(
  { options: { engine, meter }, workload, placement, root }: Run,
  budget: WorkBudget,
  { signal, onProgress = () => {} }: Watch,
): Promise<Figures & { steps: number }> {
  const figure = { name: workload.name, unit: "tokens/s" as const, of: budget.windowMs }
  onProgress({ ...figure, done: 0, latest: null })
  const onTold = (counted: readonly Told[]) => {
    const rate = stepRates(counted).at(-1)
    const latest = rate === undefined ? null : rate * tokensPerStep(workload)
    onProgress({ ...figure, done: Math.min(spanMs(counted), budget.windowMs), latest })
  }
  const watched = await watchSteps({ engine, placement, root }, budget, { signal, onTold })
  return figuresOf(watched, workload, budget, meter)
}
