import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { canonicalJson } from "../../../protocol/digest.ts"
import type { ShardSpec } from "../../../protocol/shard-spec.ts"
import type { Disks } from "../../container/disks.ts"
import type { ShardFolders } from "../../container/sandbox.ts"
import { TEXT_NAME } from "./workload.ts"

/**
 * Makes what a shard finds around it, with the text as its input, and takes it away again after `use`.
 * @param scratch an absolute path that the engine sees; it is removed again if it was not there.
 * @throws Fault `disk-full`, and what `use` throws.
 */
export async function inPlace<T>(
  { scratch, disks, spec, text }: { scratch: string; disks: Disks; spec: ShardSpec; text: Uint8Array },
  use: (folders: ShardFolders, root: string) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const made = await mkdir(scratch, { recursive: true, mode: 0o700 })
  const root = await mkdtemp(join(scratch, "work-"))
  const folders = {
    spec: join(root, "spec.json"),
    inputs: [{ name: TEXT_NAME, path: join(root, TEXT_NAME) }],
    out: join(root, "out"),
    checkpoint: join(root, "checkpoint"),
  }
  try {
    await disks.open(folders.out, spec.limits.outMiB, signal)
    await disks.open(folders.checkpoint, spec.limits.checkpointMiB, signal)
    await writeFile(folders.spec, canonicalJson(spec), { mode: 0o444 })
    await writeFile(join(root, TEXT_NAME), text, { mode: 0o444 })
    return await use(folders, root)
  } finally {
    for (const folder of [folders.out, folders.checkpoint]) await disks.close(folder)
    await rm(made === undefined ? root : scratch, { recursive: true, force: true })
  }
}
