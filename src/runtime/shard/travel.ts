import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import { copyFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { isFault } from "../../protocol/fault.ts"
import { CHECKPOINT_FILES, type Checkpoint } from "../../protocol/shard-spec.ts"
import { BlobStore } from "../../store/blob-store.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import { giveToShard } from "../container/disks.ts"
import { collectOutputs } from "../container/outputs.ts"
import { type PlainFile, plainFiles } from "./plain-files.ts"
import { foldersOf, type Ports } from "./ports.ts"
import type { Leased, OpenState } from "./state.ts"

/** Between two looks at a running shard's checkpoint: so much work is lost at most when its host is. */
export const SEND_EVERY_MS = 600_000
const MIB = 2 ** 20

export type Travel = Pick<
  Ports,
  "store" | "shardsRoot" | "transfer" | "keepCheckpoint" | "onUnsent" | "sendEveryMs"
>

/**
 * Puts the checkpoint that the lease gave into the shard's folder. Nothing of the shard has run here yet, so that whatever lies there is
 * from an earlier try at the same.
 * @throws Fault `blob-*`, `disk-full`.
 */
export async function fetchCheckpoint(
  shard: Leased,
  ports: Pick<Ports, "store" | "shardsRoot" | "transfer">,
  signal: AbortSignal,
): Promise<void> {
  const { checkpoint: folder } = foldersOf(shard, ports)
  const { checkpoint: files = [] } = shard.assignment
  await withBaggage(shard, ports, async baggage => {
    const transfer = ports.transfer.over(baggage)
    for (const { name, ...blob } of files) {
      await transfer.download(blob, signal)
      const path = join(folder, name)
      await rm(path, { recursive: true, force: true })
      await copyFile(baggage.path(blob.digest), path, constants.COPYFILE_EXCL)
      await giveToShard(path, "file")
    }
  })
}

/** Sends a running shard's checkpoint from time to time, where it travels and has changed, until the signal aborts. */
export async function keepSending(shard: OpenState, ports: Travel, signal: AbortSignal): Promise<void> {
  if (!travels(shard)) return
  const { checkpoint: folder } = foldersOf(shard, ports)
  let sent: PlainFile[] = []
  while (!signal.aborted) {
    await sleep(ports.sendEveryMs, undefined, { signal }).catch(() => {})
    const now = await plainFiles(folder, CHECKPOINT_FILES)
    if (signal.aborted || isDeepStrictEqual(now, sent)) continue
    await sendCheckpoint(shard, ports, signal)
    sent = now
  }
}

/**
 * Uploads what lies in the shard's checkpoint folder and tells the marketplace of it, where its checkpoints travel. Nothing is sent of a
 * folder that is empty, or that its program writes to meanwhile. What goes wrong is told to `onUnsent`: a checkpoint is a courtesy.
 */
export async function sendCheckpoint(shard: OpenState, ports: Travel, signal: AbortSignal): Promise<void> {
  if (!travels(shard)) return
  const { lease, spec } = shard.assignment
  const { checkpoint: folder } = foldersOf(shard, ports)
  try {
    await withBaggage(shard, ports, async baggage => {
      const files = await pack(folder, spec.limits.checkpointMiB * MIB, baggage)
      if (files === null) return
      const transfer = ports.transfer.over(baggage)
      for (const file of files) await transfer.upload(file, signal)
      await ports.keepCheckpoint(lease, files, signal)
    })
  } catch (error) {
    const why = asDiskFull(error, "the state folder")
    if (isFault(why)) ports.onUnsent(lease, why)
    else if (!signal.aborted) throw error
  }
}

function travels({ assignment }: OpenState): boolean {
  return assignment.spec.checkpoints === "travel"
}

/** Blobs on their way are kept in the shard's own folder, and nothing of them stays. */
async function withBaggage(
  shard: OpenState,
  ports: Pick<Ports, "store" | "shardsRoot">,
  work: (baggage: BlobStore) => Promise<void>,
): Promise<void> {
  const baggage = new BlobStore(join(foldersOf(shard, ports).root, `baggage-${randomUUID()}`))
  try {
    await work(baggage)
  } finally {
    await rm(baggage.root, { recursive: true, force: true })
  }
}

/** The folder's files as blobs of the store; null when there are none, too many, or when they changed meanwhile. */
async function pack(folder: string, limitBytes: number, baggage: BlobStore): Promise<Checkpoint | null> {
  const before = await plainFiles(folder, CHECKPOINT_FILES)
  if (before.length === 0 || before.length > CHECKPOINT_FILES) return null
  const names = before.map(({ name }) => name)
  const files = await collectOutputs(folder, names, limitBytes, baggage)
  return isDeepStrictEqual(await plainFiles(folder, CHECKPOINT_FILES), before) ? files : null
}
