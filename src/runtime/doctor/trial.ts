import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { isFault } from "../../protocol/fault.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { loadIdentity } from "../../store/identity.ts"
import { chooseGpus, gpuBerths, nameOf } from "../agent/gpu-berths.ts"
import type { Home } from "../agent/home.ts"
import type { Engine } from "../container/engine.ts"
import type { GpuPlacement } from "../container/sandbox.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import { type GpuNodes, gpuNodes } from "../probe/gpu-nodes.ts"
import { dishonoured, unseen, type Violation } from "../probe/honoured.ts"
import { type JailOptions, type JailReport, jail } from "../probe/jail.ts"
import { expectedOf, probe } from "../probe/probe.ts"
import type { ProbeReport } from "../probe/report.ts"
import { openJournal } from "../shard/journal.ts"
import { shardLabels } from "../shard/ports.ts"

/** What a container in the shards' sandbox showed. */
export interface SandboxTrial {
  report: ProbeReport
  violations: Violation[]
  unseen: string[]
  /** From the engine's first call to the container's removal. */
  ms: number
}

/** A card as containers would get it, or why none can. */
export type CardTrial =
  | { name: string; placement: GpuPlacement; trouble: null }
  | { name: string; placement: null; trouble: string }

/** Containers of this home that belong to no shard in its journal. */
export interface Strays {
  stopped: readonly string[]
  running: readonly string[]
}

/** The containers' label before there is an identity. */
const NOBODY = "doctor"

export async function labelOf(home: Home): Promise<KeyId | typeof NOBODY> {
  try {
    return (await loadIdentity(home.identity)).keyId
  } catch (error) {
    if (isFault(error)) return NOBODY
    throw error
  }
}

/** Starts a container as shards are started, without a card. @throws as `probe`. */
export async function trySandbox(engine: Engine, home: Home, signal: AbortSignal): Promise<SandboxTrial> {
  const started = performance.now()
  const report = await runProbe(engine, { device: "cpu" }, home, signal)
  const ms = Math.round(performance.now() - started)
  const expected = expectedOf({ engine, gpu: { device: "cpu" } })
  return { report, violations: dishonoured(report, expected), unseen: unseen(report, expected), ms }
}

/** Starts a container that is given one card, and looks at what is there of it. @throws as `probe`. */
export async function tryCard(
  engine: Engine,
  gpu: GpuPlacement,
  home: Home,
  signal: AbortSignal,
): Promise<GpuNodes> {
  return gpuNodes(await runProbe(engine, gpu, home, signal), gpu)
}

async function runProbe(engine: Engine, gpu: GpuPlacement, home: Home, signal: AbortSignal) {
  // Where shards' folders lie too: some engines see no other.
  const scratch = join(home.root, `doctor-${randomUUID()}`)
  return probe({ engine, gpu, home: await labelOf(home), scratch }, signal)
}

/** Attacks the sandbox as `serve` does before it takes work. @throws as `jail`. */
export function tryJail(
  sandbox: Pick<JailOptions, "engine" | "disks" | "profile">,
  { root }: Pick<Home, "root">,
  signal: AbortSignal,
): Promise<JailReport> {
  const gpu: GpuPlacement = { device: "cpu" }
  return jail({ ...sandbox, gpu, home: NOBODY, scratch: join(root, `doctor-${randomUUID()}`) }, signal)
}

/** Every card and slice that the agent would offer. */
export async function cardsToTry(gpus: DetectedGpu[], engine: Engine): Promise<CardTrial[]> {
  const trials = chooseGpus(gpus, "all", engine.facts).cards.map(async (card): Promise<CardTrial[]> => {
    const name = `GPU ${card.gpu.index} ${nameOf(card.gpu)}`
    try {
      const berths = await gpuBerths([card], engine.facts)
      return berths.map(({ berth: { placement } }) => ({ name, placement, trouble: null }))
    } catch (error) {
      return [{ name, placement: null, trouble: (error as Error).message }]
    }
  })
  return (await Promise.all(trials)).flat()
}

/** This home's containers that belong to no open shard; null before there is an identity. Throws Fault `engine-refused`. */
export async function findStrays(engine: Engine, home: Home, signal: AbortSignal): Promise<Strays | null> {
  const label = await labelOf(home)
  if (label === NOBODY) return null
  const all = await engine.find({ home: label }, signal)
  const open = all.length === 0 ? [] : openShards(home)
  const kept = await Promise.all(open.map(shard => engine.find(shardLabels(shard, label), signal)))
  const strays = { stopped: [] as string[], running: [] as string[] }
  for (const id of all.filter(one => !kept.flat().includes(one))) {
    const state = await engine.state(id, signal)
    if (state !== null) strays[state.status === "running" ? "running" : "stopped"].push(id)
  }
  return strays
}

function openShards(home: Home) {
  if (!existsSync(home.journal)) return []
  const journal = openJournal(home.journal)
  try {
    return journal.open()
  } finally {
    journal.close()
  }
}
