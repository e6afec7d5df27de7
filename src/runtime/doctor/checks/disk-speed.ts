import { type FileHandle, open, rm, statfs } from "node:fs/promises"
import { join } from "node:path"
import { type Finding, ok, skipped, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

const MIB = 2 ** 20
const PIECE_MIB = 8
const WHOLE_MIB = 128
/** A disk that is slow is known as such before all is written. */
const LONG_ENOUGH_MS = 4000
const LEAST_FREE_MIB = 1024
const SLOW_MB_PER_S = 50

export const diskSpeed: Inspection = {
  id: "disk-speed",
  title: "Disk speed",
  async look(site, signal) {
    const home = await site.home().catch(() => null)
    if (home === null) return skipped("needs the state folder")
    const { bavail, bsize } = await statfs(home.root)
    if ((bavail * bsize) / MIB < LEAST_FREE_MIB) return skipped("not tried: too little space is free")
    return judgeSpeed(await writeSpeed(home.root, signal))
  },
}

/** MB/s of writing that is on the disk when it is counted. Reading is not tried: it would measure the memory's cache. */
export async function writeSpeed(folder: string, signal: AbortSignal): Promise<number> {
  const path = join(folder, `doctor-${crypto.randomUUID()}.tmp`)
  const file = await open(path, "wx", 0o600)
  try {
    // Without a name it is gone with this process, however that ends.
    await rm(path)
    return await timed(file, signal)
  } finally {
    await file.close()
  }
}

async function timed(file: FileHandle, signal: AbortSignal): Promise<number> {
  // Some disks make zeros short.
  const piece = crypto.getRandomValues(new Uint8Array(64 << 10))
  const pieces = Array.from({ length: (PIECE_MIB * MIB) / piece.length }, () => piece)
  const started = performance.now()
  let written = 0
  while (written < WHOLE_MIB * MIB && performance.now() - started < LONG_ENOUGH_MS) {
    signal.throwIfAborted()
    written += (await file.writev(pieces)).bytesWritten
    await file.datasync()
  }
  return written / 1e6 / ((performance.now() - started) / 1000)
}

/** @param speed in MB/s. */
export function judgeSpeed(speed: number): Finding {
  const fact = `writes ${speed < 10 ? speed.toFixed(1) : Math.round(speed)} MB/s`
  if (speed >= SLOW_MB_PER_S) return ok(fact)
  return warning(`The state folder's disk ${fact}.`, {
    remedy:
      "Images and inputs come slowly onto such a disk: move the state folder to a faster one with ZG_HOME.",
  })
}
