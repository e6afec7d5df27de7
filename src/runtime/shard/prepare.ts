import { mkdir } from "node:fs/promises"
import { Fault } from "../../protocol/fault.ts"
import type { Image } from "../../protocol/shard-spec.ts"
import { freeBytesAt } from "../container/image-room.ts"
import { imageReference, registryOf } from "../container/reference.ts"
import { checkPackedSize, checkSignatures, demandSize } from "../image/check-image.ts"
import { openFolders } from "./folders.ts"
import { patiently } from "./patience.ts"
import type { Ports } from "./ports.ts"
import type { Leased, OpenState, Prepared } from "./state.ts"
import { fetchCheckpoint } from "./travel.ts"

type Needs = Pick<Ports, "engine" | "store" | "transfer" | "registry" | "shardsRoot" | "disks" | "rules">

/**
 * leased → prepared: all that the shard needs on this machine, with the checkpoint that it goes on from where the lease gave one.
 * @throws Fault `disk-full`, `blob-*`, or what {@link provide} throws.
 */
export async function prepare(shard: Leased, ports: Needs, signal: AbortSignal): Promise<Prepared> {
  const { assignment, berth } = shard
  await provide(shard, ports, signal)
  await fetchCheckpoint(shard, ports, signal)
  return { step: "prepared", assignment, berth, cuts: 0 }
}

/**
 * Brings a shard's inputs and image to this machine, and makes its folder. An engine that is away is waited for.
 * @throws Fault `blob-*`, `disk-full`, `bad-image-reference`, `image-not-pulled`, `image-missing`, `image-unsigned`, `image-too-large`,
 * `image-unsafe` or `engine-*`.
 */
export async function provide(shard: OpenState, ports: Needs, signal: AbortSignal): Promise<void> {
  const { assignment } = shard
  await mkdir(ports.shardsRoot, { recursive: true, mode: 0o700 })
  await patiently(() => prepareImage(assignment.spec.image, ports, signal), ports.engine, signal)
  for (const input of assignment.spec.inputs) await ports.transfer.download(input, signal)
  await openFolders(shard, ports, signal)
}

/** The owner's rules about images hold for one that is here already, too: it may be older than they are. */
async function prepareImage(image: Image, ports: Needs, signal: AbortSignal): Promise<void> {
  const { engine, registry } = ports
  const market = new URL(registry.url).host
  const reference = imageReference(image, market)
  await checkSignatures(image, ports, signal)
  if (!(await engine.images.has(reference, signal))) await pull(image, reference, ports, signal)
  await checkUnpackedSize(reference, ports, signal)
  const volumes = await engine.images.volumesOf(reference, signal)
  if (volumes.length > 0) throw withVolumes(reference, volumes)
}

async function pull(image: Image, reference: string, ports: Needs, signal: AbortSignal): Promise<void> {
  const { engine, registry } = ports
  const market = new URL(registry.url).host
  const freeBytes = await freeBytesAt(await engine.images.folder(signal))
  await checkPackedSize(image, { ...ports, freeBytes }, signal)
  const own = registryOf(image) === null || registryOf(image) === market
  const login = own ? { registry: market, user: "zg", password: registry.token() } : null
  await engine.images.pull(reference, login, signal)
}

/** A manifest can say less than its layers hold, so that the engine is asked what they came to. */
async function checkUnpackedSize(reference: string, { engine, rules }: Needs, signal: AbortSignal) {
  const bytes = await engine.images.bytes(reference, signal)
  try {
    demandSize(reference, bytes ?? 0, rules)
  } catch (error) {
    await engine.images.remove(reference, signal)
    throw error
  }
}

function withVolumes(reference: string, volumes: string[]): Fault {
  return new Fault("image-unsafe", `The image ${reference} declares volumes, which no limit would hold.`, {
    hint: "Build the image without VOLUME; a shard writes to /shard/out, /shard/checkpoint and /tmp.",
    facts: { reference, volumes: volumes.join(" ").slice(0, 300) },
  })
}
