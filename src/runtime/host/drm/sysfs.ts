import { constants } from "node:fs"
import { type FileHandle, open, readdir, realpath } from "node:fs/promises"
import path from "node:path"

/** An attribute has one page at most (Documentation/filesystems/sysfs.rst); what is far longer is no attribute. */
const ATTRIBUTE_LIMIT_BYTES = 64 << 10

/**
 * Reads below one root and never outside it, so that a recorded tree with links of its own cannot show this machine's files.
 * Nothing throws: a value that is missing, not permitted, or that a sleeping card refuses (EIO, EINVAL, EBUSY) is null.
 */
export interface Sysfs {
  /** The real place below the root, or null where there is none. */
  resolve(place: string): Promise<string | null>
  /** Names in a folder, sorted with numbers in their order; empty where there is no such folder. */
  list(place: string): Promise<string[]>
  /** An attribute as text without the white space around it; null when there is nothing in it. */
  text(place: string): Promise<string | null>
  /** The first bytes of a binary attribute, such as `config`. */
  bytes(place: string, count: number): Promise<Uint8Array | null>
}

/** @param root where sysfs is mounted, or where a recorded tree lies. */
export function openSysfs(root: string): Sysfs {
  const realRoot = realpath(root).catch(() => null)

  async function resolve(place: string): Promise<string | null> {
    const top = await realRoot
    if (top === null) return null
    const found = await realpath(path.resolve(top, place)).catch(() => null)
    if (found === null) return null
    return found === top || found.startsWith(top.endsWith(path.sep) ? top : top + path.sep) ? found : null
  }

  async function bytes(place: string, count: number): Promise<Uint8Array | null> {
    const file = await resolve(place)
    return file === null ? null : readStart(file, count)
  }

  return {
    resolve,
    bytes,
    async list(place) {
      const folder = await resolve(place)
      const names = folder === null ? [] : await readdir(folder).catch(() => [])
      return names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    },
    async text(place) {
      const read = await bytes(place, ATTRIBUTE_LIMIT_BYTES + 1)
      if (read === null || read.length > ATTRIBUTE_LIMIT_BYTES) return null
      const text = Buffer.from(read).toString("utf8").replaceAll("\0", "").trim()
      return text === "" ? null : text
    },
  }
}

async function readStart(file: string, count: number): Promise<Uint8Array | null> {
  let handle: FileHandle | undefined
  try {
    // A named pipe in a tree would otherwise hold the reader for ever.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!(await handle.stat()).isFile()) return null
    const buffer = Buffer.alloc(count)
    let size = 0
    while (size < count) {
      const { bytesRead } = await handle.read(buffer, size, count - size, size)
      if (bytesRead === 0) break
      size += bytesRead
    }
    return buffer.subarray(0, size)
  } catch {
    return null
  } finally {
    await handle?.close().catch(() => {})
  }
}
