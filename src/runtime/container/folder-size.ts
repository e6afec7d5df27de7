import type { Dir } from "node:fs"
import { lstat, opendir } from "node:fs/promises"
import { join } from "node:path"

/** Every file, folder and link costs the disk this much however small it is, so a million empty files are not free. */
const ENTRY_FLOOR_BYTES = 4096

/**
 * What a folder takes up on the disk, in bytes; counting ends soon after the limit. Links are not followed, and what vanishes while it
 * is counted counts nothing.
 */
export async function folderBytes(root: string, limitBytes: number): Promise<number> {
  const waiting = [root]
  let total = 0
  for (let folder = waiting.pop(); folder !== undefined && total <= limitBytes; folder = waiting.pop()) {
    // One by one: a list of a million names would take the agent's memory before they are counted.
    for await (const entry of await openFolder(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) waiting.push(path)
      total += await entryBytes(path)
      if (total > limitBytes) break
    }
  }
  return total
}

async function openFolder(folder: string): Promise<Dir | []> {
  try {
    return await opendir(folder)
  } catch (error) {
    // The shard may hide a folder from an agent that is not root: what is in it is still bounded by the limit on each file.
    if (GONE.has((error as NodeJS.ErrnoException).code ?? "")) return []
    throw error
  }
}

async function entryBytes(path: string): Promise<number> {
  try {
    const { blocks, size } = await lstat(path)
    // A sparse file has a size but takes no room yet; it would take it once copied.
    return Math.max(blocks * 512, size, ENTRY_FLOOR_BYTES)
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? "")) return 0
    throw error
  }
}

const GONE = new Set(["ENOENT", "ENOTDIR", "EACCES", "ELOOP"])
