import { chmod, mkdir, rename, writeFile } from "node:fs/promises"
import { canonicalJson } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { Image } from "../../protocol/shard-spec.ts"
import { freeBytesAt } from "../container/image-room.ts"
import { imageReference, registryOf } from "../container/reference.ts"
import { checkPackedSize, checkSignatures, demandSize } from "../image/check-image.ts"
import { foldersOf, type Ports } from "./ports.ts"
import type { Leased, Prepared } from "./state.ts"

type Needs = Pick<Ports, "engine" | "store" | "transfer" | "registry" | "shardsRoot" | "disks" | "rules">

/**
 * leased → prepared: inputs and image on this machine, and a folder for the shard.
 * @throws Fault `blob-*`, `disk-full`, `bad-image-reference`, `image-not-pulled`, `image-missing`, `image-unsigned`, `image-too-large` or
 * `image-unsafe`.
 */
export async function prepare(shard: Leased, ports: Needs, signal: AbortSignal): Promise<Prepared> {
  const { assignment, berth } = shard
  await mkdir(ports.shardsRoot, { recursive: true, mode: 0o700 })
  await prepareImage(assignment.spec.image, ports, signal)
  for (const input of assignment.spec.inputs) await ports.transfer.download(input, signal)
  await prepareFolders(shard, ports, signal)
  return { step: "prepared", assignment, berth, cuts: 0 }
}

/** The owner's rules about images hold for one that is here already, too: it may be older than they are. */
async function prepareImage(image: Image, ports: Needs, signal: AbortSignal): Promise<void> {
  const { engine, registry } = ports
  const market = new URL(registry.url).host
  const reference = imageReference(image, market)
  await checkSignatures(image, ports, signal)
  if (!(await engine.hasImage(reference, signal))) await pull(image, reference, ports, signal)
  await checkUnpackedSize(reference, ports, signal)
  const volumes = await engine.volumesOf(reference, signal)
  if (volumes.length > 0) throw withVolumes(reference, volumes)
}

async function pull(image: Image, reference: string, ports: Needs, signal: AbortSignal): Promise<void> {
  const { engine, registry } = ports
  const market = new URL(registry.url).host
  const freeBytes = await freeBytesAt(await engine.imageFolder(signal))
  await checkPackedSize(image, { ...ports, freeBytes }, signal)
  const own = registryOf(image) === null || registryOf(image) === market
  const login = own ? { registry: market, user: "zg", password: registry.token() } : null
  await engine.pull(reference, login, signal)
}

/** A manifest can say less than its layers hold, so that the engine is asked what they came to. */
async function checkUnpackedSize(reference: string, { engine, rules }: Needs, signal: AbortSignal) {
  const bytes = await engine.imageBytes(reference, signal)
  try {
    demandSize(reference, bytes ?? 0, rules)
  } catch (error) {
    await engine.removeImage(reference, signal)
    throw error
  }
}

/** Doing it again keeps a checkpoint that is there. */
async function prepareFolders(shard: Leased, ports: Needs, signal: AbortSignal): Promise<void> {
  const { root, out, checkpoint, spec } = foldersOf(shard, ports)
  await mkdir(root, { recursive: true, mode: 0o700 })
  const { outMiB, checkpointMiB } = shard.assignment.spec.limits
  await ports.disks.open(out, outMiB, signal)
  await ports.disks.open(checkpoint, checkpointMiB, signal)
  const draft = `${spec}.draft`
  await writeFile(draft, canonicalJson(shard.assignment.spec))
  await chmod(draft, 0o444)
  await rename(draft, spec)
}

function withVolumes(reference: string, volumes: string[]): Fault {
  return new Fault("image-unsafe", `The image ${reference} declares volumes, which no limit would hold.`, {
    hint: "Build the image without VOLUME; a shard writes to /shard/out, /shard/checkpoint and /tmp.",
    facts: { reference, volumes: volumes.join(" ").slice(0, 300) },
  })
}
