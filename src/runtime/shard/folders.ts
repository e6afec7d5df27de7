import { chmod, mkdir, readdir, rename, statfs, writeFile } from "node:fs/promises"
import { canonicalJson } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { foldersOf, type Ports } from "./ports.ts"
import type { OpenState } from "./state.ts"

/** Makes the shard's folder with what it starts from. Doing it again keeps outputs and a checkpoint, and mounts them after a reboot. */
export async function openFolders(
  shard: OpenState,
  ports: Pick<Ports, "store" | "shardsRoot" | "disks">,
  signal: AbortSignal,
): Promise<void> {
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

/** Throws away what an earlier container of the shard left in its outputs: the next one finds them empty, as the first one did. */
export async function emptyOutputs(
  shard: OpenState,
  ports: Pick<Ports, "store" | "shardsRoot" | "disks">,
  signal: AbortSignal,
): Promise<void> {
  const { out } = foldersOf(shard, ports)
  const isEmpty = (await readdir(out)).length === 0
  if (!isEmpty) await ports.disks.renew(out, shard.assignment.spec.limits.outMiB, signal)
}

/** Less than this is a full disk: what was written last may not be whole. */
const LEAST_FREE_BYTES = 1 << 16

/**
 * @param bytes that are to be written, and must find room beside what a full disk has left.
 * @throws Fault `disk-full`.
 */
export async function demandRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bfree, bsize } = await statfs(folder)
  // The blocks that a file system keeps for root are free for root.
  if ((process.getuid?.() === 0 ? bfree : bavail) * bsize >= bytes + LEAST_FREE_BYTES) return
  throw new Fault("disk-full", `The disk under ${folder} is full.`, {
    hint: "Free some space, or move the state with ZG_HOME.",
    facts: { folder, bytes },
  })
}
