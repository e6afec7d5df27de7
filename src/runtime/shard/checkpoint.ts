import { createHash, type Hash } from "node:crypto"
import { constants } from "node:fs"
import { type FileHandle, open, readdir } from "node:fs/promises"
import { join, relative } from "node:path"
import { type Digest, digestOfHex } from "../../protocol/digest.ts"

/** Of each file this much is read at either end: two checkpoints differ there, and one may be as large as the disk. */
const END_BYTES = 1 << 20
const FILES_LIMIT = 1000

/**
 * A digest by which two checkpoints are told apart, from names, sizes and both ends of each file; null for an empty folder. Links are
 * not followed, and what cannot be opened counts by its name alone. Only for a folder that nobody writes to now.
 */
export async function checkpointDigest(folder: string): Promise<Digest | null> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  if (paths.length === 0) return null
  const hash = createHash("sha256")
  for (const path of paths.sort().slice(0, FILES_LIMIT)) {
    hash.update(`${relative(folder, path)}\0`)
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      () => null,
    )
    if (file !== null) await addEnds(file, hash)
  }
  return digestOfHex(hash.digest("hex"))
}

async function addEnds(file: FileHandle, hash: Hash): Promise<void> {
  try {
    const { size } = await file.stat()
    hash.update(`${size}\0`)
    const buffer = Buffer.alloc(Math.min(size, END_BYTES))
    for (const start of new Set([0, Math.max(0, size - END_BYTES)])) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
