import { open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

/**
 * Writes a file: it is there whole or not at all, also after a power cut.
 * @param mode who may read it, within the process's umask: its owner alone where nothing is said.
 */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}.draft`
  try {
    await writeSynced(draft, content, mode)
    await rename(draft, path)
  } catch (error) {
    // On a full disk every try would leave another one.
    await rm(draft, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

async function writeSynced(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, "wx", mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The new name is on the disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
