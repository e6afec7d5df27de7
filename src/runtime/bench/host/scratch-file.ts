import { constants, unlinkSync } from "node:fs"
import { type FileHandle, open, readdir, rm, statfs } from "node:fs/promises"
import { join } from "node:path"

const PREFIX = ".zg-bench-"
/** statfs(2). */
const IN_MEMORY: Record<number, string> = { 16914836: "tmpfs", 2240043254: "ramfs" }

/** A file without a name, gone with this process however that ends. */
export interface ScratchFile {
  handle: FileHandle
  /** Whether it is read and written past the page cache. */
  isDirect: boolean
}

/** The kind of file system that keeps this folder in memory; null for one on a disk. */
export async function memoryKindOf(folder: string): Promise<string | null> {
  return IN_MEMORY[(await statfs(folder)).type >>> 0] ?? null
}

/**
 * Opens one with O_DIRECT, or without where the system or the file system does not have that.
 * @param direct how to ask for it; null where the system has no such way.
 * @throws an error of the file system.
 */
export async function openScratchFile(
  folder: string,
  direct: number | null = constants.O_DIRECT ?? null,
): Promise<ScratchFile> {
  await removeLeft(folder)
  if (direct !== null) {
    const handle = await openUnnamed(folder, direct).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EINVAL" && error.code !== "EOPNOTSUPP") throw error
      return null
    })
    if (handle !== null) return { handle, isDirect: true }
  }
  return { handle: await openUnnamed(folder, 0), isDirect: false }
}

/** Where an open file keeps its name (Windows), or the process was killed just then, the next start finds it here. */
export async function removeLeft(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter(name => name.startsWith(PREFIX))
  await Promise.all(left.map(name => rm(join(folder, name), { force: true }).catch(() => {})))
}

async function openUnnamed(folder: string, direct: number): Promise<FileHandle> {
  const path = join(folder, `${PREFIX}${crypto.randomUUID()}`)
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | direct, 0o600)
    unlinkSync(path)
    return handle
  } catch (error) {
    // Linux makes the file before it refuses O_DIRECT.
    await rm(path, { force: true })
    throw error
  }
}
