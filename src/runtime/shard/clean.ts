import { readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { isFault } from "../../protocol/fault.ts"
import { foldersOf, type Ports, shardLabels } from "./ports.ts"
import type { OpenState } from "./state.ts"

const CLEAN_LIMIT_MS = 60_000

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

/** Removes the shard's container and folder; its inputs stay in the store. */
export async function clean(shard: OpenState, ports: Needs): Promise<void> {
  const signal = AbortSignal.timeout(CLEAN_LIMIT_MS)
  await leaveToSweep(() => ports.engine.removeAll(shardLabels(shard, ports.home), signal))
  await removeFolder(foldersOf(shard, ports).root, ports)
}

/** Removes this home's containers and folders that belong to none of the open shards. Throws Fault `engine-*`. */
export async function sweep(open: readonly OpenState[], ports: Needs, signal: AbortSignal): Promise<void> {
  const { engine, home, shardsRoot } = ports
  const kept = new Set<string>()
  for (const shard of open) for (const id of await engine.find(shardLabels(shard, home), signal)) kept.add(id)
  for (const id of await engine.find({ home }, signal)) if (!kept.has(id)) await engine.remove(id, signal)
  const roots = new Set(open.map(shard => foldersOf(shard, ports).root))
  for (const name of await readdir(shardsRoot).catch(() => []))
    if (!roots.has(join(shardsRoot, name))) await removeFolder(join(shardsRoot, name), ports)
}

/** A shard that is over is over, also while the engine does not answer: the sweep at the next start removes what is left. */
async function leaveToSweep(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isTimeout = error instanceof DOMException && error.name === "TimeoutError"
    if (!isFault(error) && !isTimeout) throw error
  }
}

/** Folders that a shard made inside its own are closed to an agent that is not root; they stay, and the sweep tries again. */
async function removeFolder(path: string, { disks }: Needs): Promise<void> {
  for (const name of await readdir(path).catch(() => [])) await disks.close(join(path, name))
  await rm(path, { recursive: true, force: true }).catch(error => {
    if (!["EACCES", "EPERM", "ENOTEMPTY"].includes(error.code)) throw error
  })
}
