import { lstat, opendir } from "node:fs/promises"
import { join } from "node:path"
import { FileName } from "../../protocol/digest.ts"

/** A file's name, and what tells two states of it apart. */
export interface PlainFile {
  name: FileName
  ino: bigint
  size: bigint
  mtimeNs: bigint
}

/**
 * The plain files of a folder by name; what else lies there, links and hidden files too, stays where it is. A shard can fill a folder with
 * millions of names: whoever finds more than `most` gives up, and so does this one file later.
 */
export async function plainFiles(folder: string, most: number): Promise<PlainFile[]> {
  const found: PlainFile[] = []
  const entries = await opendir(folder).catch(() => [])
  for await (const entry of entries) {
    const name = FileName.safeParse(entry.name)
    if (!name.success) continue
    const stats = await lstat(join(folder, name.data), { bigint: true }).catch(() => null)
    if (!stats?.isFile() || stats.nlink !== 1n) continue
    const { ino, size, mtimeNs } = stats
    found.push({ name: name.data, ino, size, mtimeNs })
    if (found.length > most) break
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}
