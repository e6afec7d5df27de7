import type { Logger } from "pino"
import { openSysfs } from "../drm/sysfs.ts"
import type { DetectedGpu } from "../gpu.ts"
import { identitiesOf } from "../identity-of.ts"
import { nvidiaSmi } from "../nvidia/program.ts"
import { AmdCard } from "./amd-card.ts"
import { type Meter, openMeter } from "./meter.ts"
import { keepNvidiaLoop } from "./nvidia-loop.ts"
import type { Sample } from "./sample.ts"
import { everyPeriod } from "./ticks.ts"
import { Track } from "./track.ts"
import { Turns } from "./turns.ts"

export const PERIOD_MS = 1000

export interface TelemetryOptions {
  /** The cards as detection found them. */
  gpus: readonly DetectedGpu[]
  /** Where sysfs is mounted. */
  sysfs: string
  /** Milliseconds between two samples of a card. */
  periodMs?: number
  /** nvidia-smi by its name on PATH, or its path. */
  program?: string
  log?: Logger
}

/** One card, and what is known of it now. */
export interface CardReport {
  identity: string
  gpu: DetectedGpu
  /** Null while the newest is older than three periods. */
  sample: Sample | null
  /** Joules since the agent's start, gaps left out; null while the card has told no power. */
  energyJoules: number | null
  /** Periods since the agent's start that have no sample; null for a card that cannot be sampled. */
  gaps: number | null
}

export interface Telemetry {
  /** The newest sample; null when it is older than three periods, or when nothing is known of such a card. */
  latest(identity: string): Sample | null
  /** Every card, in the order in which they were given. */
  cards(): CardReport[]
  /** The identity of the card that a proof or a berth names; null when it is none of these, or not certainly one. */
  identify(card: { uuid: string | null; pciAddress: string | null }): string | null
  /** Hears every sample of a card from now on, until it is disposed of; of a card that nobody knows, none. */
  listen(identity: string, listener: (sample: Sample) => void): Disposable
  /** Begins to meter these cards; none are a CPU's. A card that cannot be told (null) leaves the sum unknown. */
  meter(identities: readonly (string | null)[]): Meter
  /**
   * Settles when nothing is sampled any more: after the signal's abort, when no child is left, or at once where no card can be
   * sampled. Rejects on a bug.
   */
  readonly ended: Promise<void>
}

/**
 * Samples all cards at once until the signal aborts: NVIDIA's through one `nvidia-smi` for all, AMD's through sysfs. Other cards
 * have no telemetry. A source that fails is a gap and no fault.
 */
export function startTelemetry(options: TelemetryOptions, signal: AbortSignal): Telemetry {
  const { gpus, periodMs = PERIOD_MS } = options
  const identities = identitiesOf([...gpus])
  const tracks = gpus.map(gpu => new Track(gpu, periodMs, () => performance.now()))
  const byIdentity = new Map(identities.map((identity, index) => [identity, tracks[index] as Track]))
  const clocks = { mono: () => performance.now(), wall: () => Date.now() }
  return {
    latest: identity => byIdentity.get(identity)?.latest ?? null,
    cards: () => [...byIdentity].map(([identity, track]) => reportOf(identity, track)),
    identify: card => identify(card, identities, gpus),
    listen(identity, listener) {
      const end = byIdentity.get(identity)?.follow(({ sample }) => listener(sample))
      return { [Symbol.dispose]: () => end?.() }
    },
    meter: wanted =>
      openMeter(
        wanted.map(identity => (identity === null ? null : (byIdentity.get(identity) ?? null))),
        clocks,
      ),
    ended: Promise.all([
      sampleNvidia(tracks, { ...options, periodMs }, signal),
      sampleAmd(tracks, { ...options, periodMs }, signal),
    ]).then(() => {}),
  }
}

function reportOf(identity: string, track: Track): CardReport {
  const { gpu, latest, energyJoules, gaps } = track
  const isSampled = gpu.vendor !== "intel" && gpu.pciAddress !== null
  return { identity, gpu, sample: latest, energyJoules, gaps: isSampled ? gaps : null }
}

function identify(
  { uuid, pciAddress }: { uuid: string | null; pciAddress: string | null },
  identities: readonly string[],
  gpus: readonly DetectedGpu[],
): string | null {
  const found = gpus.flatMap((gpu, index) => {
    const isIt =
      uuid !== null && gpu.uuid !== null
        ? gpu.uuid.toLowerCase() === uuid.toLowerCase()
        : pciAddress !== null && gpu.pciAddress === pciAddress
    return isIt ? [identities[index] ?? null] : []
  })
  return found.length === 1 ? (found[0] ?? null) : null
}

type Sampling = TelemetryOptions & { periodMs: number }

/** No card of NVIDIA's, no child. A card is known by its place; one without a place cannot be told from the others. */
async function sampleNvidia(tracks: readonly Track[], options: Sampling, signal: AbortSignal): Promise<void> {
  const { periodMs, log, program = nvidiaSmi() } = options
  const ours = tracks.filter(({ gpu }) => gpu.vendor === "nvidia" && gpu.pciAddress !== null)
  if (ours.length === 0) return
  const byPlace = new Map(ours.map(track => [track.gpu.pciAddress, track]))
  await keepNvidiaLoop(
    {
      program,
      periodMs,
      onRow: ({ pciAddress, readings }) => byPlace.get(pciAddress)?.take(readings),
      log,
    },
    signal,
  )
}

async function sampleAmd(
  tracks: readonly Track[],
  { sysfs: root, periodMs }: Sampling,
  signal: AbortSignal,
): Promise<void> {
  const ours = tracks.filter(({ gpu }) => gpu.vendor === "amd" && gpu.pciAddress !== null)
  if (ours.length === 0) return
  const sysfs = openSysfs(root)
  const bug = Promise.withResolvers<never>()
  const turns = new Turns(bug.reject)
  const readers = ours.map(track => {
    const card = new AmdCard(sysfs, track.gpu)
    const read = async () => {
      const readings = await card.read()
      if (signal.aborted) await card.close()
      else track.take(readings)
    }
    return { card, read }
  })
  const rounds = everyPeriod(periodMs, () => turns.round(readers), signal)
  await Promise.race([rounds, bug.promise]).finally(() => turns.clear())
  // A reading under way closes its files when it comes to its end; one that hangs must not hold up the end of all.
  await Promise.all(readers.filter(reader => !turns.isBusy(reader)).map(({ card }) => card.close()))
}
