import { statfs } from "node:fs/promises"
import prettyBytes from "pretty-bytes"
import { Fault } from "../../protocol/fault.ts"

const LOOK_EVERY_MS = 500
/** What a pull leaves free. A layer says how large it is packed, and nobody what it unpacks to. */
export const RESERVE_BYTES = 1 << 30

/** Free bytes on the file system of a folder; null where it is not on this machine. */
export async function freeBytesAt(folder: string | null): Promise<number | null> {
  const disk = folder === null ? null : await statfs(folder).catch(() => null)
  return disk && disk.bavail * disk.bsize
}

/**
 * Does what fills the folder, and ends it when too little room is left: `task` gets a signal that is aborted then.
 * @param folder where an engine keeps its images; null where that is not known, and the task is left alone.
 * @throws Fault `disk-full`, or what the task throws.
 */
export async function whileRoom<T>(
  folder: string | null,
  task: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  reserveBytes = RESERVE_BYTES,
): Promise<T> {
  const full = new AbortController()
  const look = async () => {
    const bytes = await freeBytesAt(folder)
    if (bytes !== null && bytes < reserveBytes) full.abort(tooFull(folder ?? "", bytes))
  }
  await look()
  full.signal.throwIfAborted()
  const looking = setInterval(look, LOOK_EVERY_MS)
  try {
    return await task(AbortSignal.any([signal, full.signal]))
  } finally {
    clearInterval(looking)
  }
}

function tooFull(folder: string, freeBytes: number): Fault {
  const left = prettyBytes(freeBytes, { binary: true })
  return new Fault("disk-full", `Only ${left} are free where the engine keeps its images.`, {
    hint: "Make room there: remove images that are not used any more (`docker image prune`), or move the engine's folder to a larger disk.",
    facts: { folder, freeBytes },
  })
}
