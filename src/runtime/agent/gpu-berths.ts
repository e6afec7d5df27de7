import { stat } from "node:fs/promises"
import { Fault } from "../../protocol/fault.ts"
import type { EngineFacts } from "../container/engine.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import { identitiesOf } from "../host/identity-of.ts"
import type { Berth } from "../shard/state.ts"

/** Which cards the owner gives: all that can work, none, or those named by number, UUID or PCI address. */
export type GpuChoice = "all" | "none" | readonly string[]

/** A card, or one slice of it, that runs one shard at a time. */
export interface GpuBerth {
  berth: Berth
  vramMiB: number
  /** The card's identity, by which its telemetry is kept; null for a slice, which has no telemetry of its own. */
  identity: string | null
}

/** A card and the name by which it is known from one start to the next. */
export interface Card {
  gpu: DetectedGpu
  identity: string
}

/** A card that was not taken, and why. */
export interface PassedOver extends Card {
  reason: string
}

export interface Chosen {
  cards: Card[]
  passedOver: PassedOver[]
}

/** What decides how a container gets a card. */
export type CardEngine = Pick<EngineFacts, "name" | "cdiDevices">

/** @throws Fault `gpu-unusable` when a card was named that is not there or cannot work. */
export function chooseGpus(gpus: DetectedGpu[], choice: GpuChoice, engine: CardEngine): Chosen {
  const identities = identitiesOf(gpus)
  const all = gpus.map((gpu, at) => ({ gpu, identity: identities[at] ?? `index:${gpu.index}` }))
  if (choice === "none") return { cards: [], passedOver: [] }
  const wanted = choice === "all" ? all : [...new Set(choice.map(name => named(all, name)))]
  const judged = wanted.map(card => ({ ...card, reason: refusalOf(card.gpu, engine) }))
  const refused = judged.filter((card): card is PassedOver => card.reason !== null)
  const [first] = refused
  if (choice !== "all" && first !== undefined) {
    throw unusable(`${nameOf(first.gpu)} cannot run shards. ${first.reason}`)
  }
  return { cards: wanted.filter((_, at) => judged[at]?.reason === null), passedOver: refused }
}

function named(cards: Card[], name: string): Card {
  const lower = name.toLowerCase()
  const found = cards.filter(({ gpu: { index, uuid, pciAddress } }) =>
    [String(index), uuid?.toLowerCase(), pciAddress, pciAddress?.slice(5)].includes(lower),
  )
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  throw unusable(only === undefined ? `This machine has no GPU ${name}.` : `Several GPUs are called ${name}.`)
}

function unusable(message: string): Fault {
  return new Fault("gpu-unusable", message, {
    hint: "See `zg-agent gpus` for the cards and their state; name them by number, UUID or PCI address.",
  })
}

/** Why no shard can be given this card; null where one can. */
function refusalOf(gpu: DetectedGpu, engine: CardEngine): string | null {
  if (!gpu.offerable) return gpu.reasons.join(" ") || "It is not offerable."
  return gpu.vendor === "nvidia" ? (lackingNvidia(gpu) ?? unspecified(gpu, engine)) : null
}

/** Docker has another way than CDI: NVIDIA's hook. */
function unspecified({ uuid, mig }: DetectedGpu, { name, cdiDevices }: CardEngine): string | null {
  const parts = mig === null ? [uuid] : mig.map(slice => slice.uuid)
  if (name !== "podman" || parts.some(part => cdiDevices.includes(cdiName(part)))) return null
  return "Podman gives cards to containers by CDI alone, and no specification names this one: make one with `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`."
}

function cdiName(uuid: string | null): string {
  return `nvidia.com/gpu=${uuid}`
}

/** A container is given NVIDIA cards by UUID alone: a number may mean another card after the next start. */
function lackingNvidia({ uuid, mig }: DetectedGpu): string | null {
  if (mig !== null) {
    return mig.some(slice => isPassable(slice.uuid)) ? null : "None of its MIG instances tells its UUID."
  }
  return isPassable(uuid) ? null : "It has no UUID of its own, by which alone a container can be given it."
}

function isPassable(uuid: string | null): uuid is string {
  return uuid !== null && /^(GPU|MIG)-[0-9a-f-]{36}$/.test(uuid)
}

/** The berths on these cards: one each, on a card that is cut into slices one for each slice. */
export async function gpuBerths(cards: readonly Card[], engine: CardEngine): Promise<GpuBerth[]> {
  const berths = cards.map(card =>
    card.gpu.vendor === "nvidia" ? nvidiaBerths(card, engine) : amdBerths(card),
  )
  return (await Promise.all(berths)).flat()
}

function nvidiaBerths({ gpu, identity }: Card, { name, cdiDevices }: CardEngine): GpuBerth[] {
  const parts =
    gpu.mig === null
      ? [{ uuid: gpu.uuid, vramTotalMiB: gpu.vramTotalMiB, identity }]
      : gpu.mig.map(slice => ({ ...slice, identity: null }))
  return parts.flatMap(({ uuid, vramTotalMiB, identity }) => {
    if (!isPassable(uuid)) return []
    const through = cdiDevices.includes(cdiName(uuid)) ? ("cdi" as const) : ("gpus" as const)
    if (through === "gpus" && name === "podman") return []
    const berth: Berth = {
      slot: uuid,
      placement: { device: "cuda", uuid, through },
      gpus: [proofGpu(gpu, uuid)],
    }
    return [{ berth, vramMiB: Math.floor(vramTotalMiB ?? 0), identity }]
  })
}

async function amdBerths({ gpu, identity }: Card): Promise<GpuBerth[]> {
  const { renderNode, vramTotalMiB } = gpu
  if (renderNode === null) return []
  // Containers know groups by number: the name `render` may mean another one inside.
  const { gid } = await stat(renderNode)
  const berth: Berth = {
    slot: identity,
    placement: { device: "rocm", renderNode, group: gid },
    gpus: [proofGpu(gpu, gpu.uuid)],
  }
  return [{ berth, vramMiB: Math.floor(vramTotalMiB ?? 0), identity }]
}

function proofGpu(gpu: DetectedGpu, uuid: string | null): Berth["gpus"][number] {
  return { uuid, pciAddress: gpu.pciAddress, model: nameOf(gpu) }
}

export function nameOf({ name, vendor }: DetectedGpu): string {
  return name ?? `unknown ${vendor} GPU`
}
