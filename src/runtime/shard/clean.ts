import { readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { isFault } from "../../protocol/fault.ts"
import { labelled, removeSurely } from "./containers.ts"
import { patiently } from "./patience.ts"
import { foldersOf, type Ports, shardLabels } from "./ports.ts"
import type { OpenState } from "./state.ts"

const CLEAN_LIMIT_MS = 60_000
/**
 * How old a container or folder that belongs to no open shard must be to be removed, in milliseconds from its creation: its shard's record
 * may just be written, or have been lost with a damaged journal, so that the marketplace sends the lease again.
 */
export const STRAY_GRACE_MS = 600_000

type Needs = Pick<Ports, "engine" | "shardsRoot" | "store" | "home" | "graceMs" | "disks">

/** Stops the shard's container with its grace and removes it; folder and checkpoint stay for the next start. */
export async function halt(shard: OpenState, ports: Needs): Promise<void> {
  const { engine, home, graceMs } = ports
  const signal = AbortSignal.timeout(graceMs + CLEAN_LIMIT_MS)
  await leaveToSweep(async () => {
    for (const id of await engine.find(shardLabels(shard, home), signal)) {
      await engine.stop(id, graceMs, signal)
      await engine.remove(id, signal)
    }
  })
}

/** Removes all that a shard leaves behind but its inputs and outputs, which stay in the store as long as any. */
export async function clean(shard: OpenState, ports: Needs): Promise<void> {
  await vacate(shard, ports)
  // The states of a large model would fill a disk long before the week is over.
  if ("states" in shard) for (const { digest } of shard.states ?? []) await ports.store.dismiss(digest)
}

/** Removes the shard's container and folder; what is in the store stays. */
export async function vacate(shard: OpenState, ports: Needs): Promise<void> {
  const signal = AbortSignal.timeout(CLEAN_LIMIT_MS)
  const { engine, home } = ports
  const removeAll = async () => {
    for (const id of await engine.find(shardLabels(shard, home), signal))
      await removeSurely(id, engine, signal)
  }
  // An engine that is restarted just now keeps the container.
  await leaveToSweep(() => patiently(removeAll, engine, signal, CLEAN_LIMIT_MS))
  await leaveToSweep(() => removeFolder(foldersOf(shard, ports).root, ports))
}

/** What a sweep found that belongs to no open shard. */
export interface Swept {
  /** Ids of containers and names of folders. */
  removed: string[]
  /** How many are younger than the grace. */
  left: number
}

/**
 * Removes this home's containers and folders that belong to none of the open shards and are older than the grace.
 * @param open the open shards; when it is a function it is asked after the containers are listed, so that it knows of all of them.
 * @throws Fault `engine-*`.
 */
export async function sweep(
  open: readonly OpenState[] | (() => readonly OpenState[]),
  ports: Needs,
  signal: AbortSignal,
  strayGraceMs = STRAY_GRACE_MS,
): Promise<Swept> {
  const containers = await labelled({ home: ports.home }, ports.engine, signal)
  const folders = await foldersIn(ports.shardsRoot)
  const owned = (typeof open === "function" ? open() : open).map(shard => shardLabels(shard, ports.home))
  const isOwned = (one: { lease: string; epoch: number; spec: string }) =>
    owned.some(({ lease, epoch, spec }) => one.lease === lease && one.epoch === epoch && one.spec === spec)
  const strays = containers.filter(one => !isOwned(one))
  const isOld = ({ createdAtMs }: { createdAtMs: number }) => Date.now() - createdAtMs >= strayGraceMs
  // A folder is older than its container, and in use as long as that is there.
  const inUse = new Set([...owned, ...strays.filter(one => !isOld(one))].map(folderName))
  const strayFolders = folders.filter(({ name }) => !inUse.has(name))
  const removed: string[] = []
  for (const { id } of strays.filter(isOld)) {
    await ports.engine.remove(id, signal)
    removed.push(id)
  }
  for (const { name } of strayFolders.filter(isOld)) {
    await removeFolder(join(ports.shardsRoot, name), ports)
    removed.push(name)
  }
  return { removed, left: strays.length + strayFolders.length - removed.length }
}

/** Sweeps again and again until the signal aborts: what was too young comes of age, and what an engine in trouble kept goes at last. */
export async function keepSwept(
  open: () => readonly OpenState[],
  ports: Needs,
  signal: AbortSignal,
  onSwept: (swept: Swept) => void = () => {},
): Promise<void> {
  while (!signal.aborted) {
    await sleep(STRAY_GRACE_MS / 2, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    await leaveToSweep(async () => onSwept(await sweep(open, ports, signal)), signal)
  }
}

function folderName({ lease, epoch }: { lease: string; epoch: number }): string {
  return `${lease}-${epoch}`
}

async function foldersIn(root: string): Promise<{ name: string; createdAtMs: number }[]> {
  const names = await readdir(root).catch(() => [])
  const all = names.map(async name => {
    const created = await stat(join(root, name)).catch(() => null)
    // Where a file system keeps no time of birth, this is 0 or the time of the last change.
    return created === null ? [] : [{ name, createdAtMs: created.birthtimeMs || created.ctimeMs }]
  })
  return (await Promise.all(all)).flat()
}

/** A shard that is over is over, also while the engine does not answer: a later sweep removes what is left. */
async function leaveToSweep(work: () => Promise<void>, signal?: AbortSignal): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError"
    if (!isFault(error) && !isTimeout && !signal?.aborted) throw error
  }
}

/** Folders that a shard made inside its own are closed to an agent that is not root; they stay, and the sweep tries again. */
async function removeFolder(path: string, { disks }: Needs): Promise<void> {
  for (const name of await readdir(path).catch(() => [])) await disks.close(join(path, name))
  await rm(path, { recursive: true, force: true }).catch(error => {
    if (!["EACCES", "EPERM", "ENOTEMPTY", "EBUSY"].includes(error.code)) throw error
  })
}
