import { setTimeout as sleep } from "node:timers/promises"
import prettyBytes from "pretty-bytes"
import { asDiskFull } from "../../../store/disk-full.ts"
import { freeBytesAt, RESERVE_BYTES } from "../../container/image-room.ts"
import { diskTraffic, reachedDisk } from "./disk-traffic.ts"
import { BLOCK_BYTES, Disk, PIECE_BYTES, type Trial } from "./disk-trials.ts"
import { type Budget, type Figures, repeated, together, unmeasured, type Watch } from "./figure.ts"
import { inLanes, Stalled } from "./lanes.ts"
import { memoryKindOf, openScratchFile } from "./scratch-file.ts"

const CLOSE_LIMIT_MS = 1000
const SHARE_OF_FREE = 1 / 10
const LEAST_BYTES = 4 * PIECE_BYTES

export interface DiskOptions {
  /** Where the agent would write. */
  folder: string
  /** What is left free in any case. */
  reserveBytes?: number
  /** The flag that opens a file past the page cache, where that is not O_DIRECT; null for none. */
  direct?: number | null
}

export interface DiskBudget extends Budget {
  /** At most so much is written into one file; it may be overwritten again and again. */
  fileBytes: number
  /** So much is written for one figure, and a window's worth more: some drives last for few writes. */
  writtenBytes: number
}

export interface DiskFigures extends Figures {
  /** Whether the page cache was out of the way; null where nothing was measured. */
  isDirect: boolean | null
}

/**
 * How fast the disk under a folder is: one after the other a megabyte at a time, and 4 KiB at random places, each by four lanes at once,
 * in a file without a name that nothing leaves behind.
 *
 * The page cache is out of the way (O_DIRECT). Where the file system refuses that, writing counts only with its fdatasync and is named
 * `…-synced` (at random after every single block), and reading is not measured: it would be the memory. Whether the bytes really came
 * from a disk, the kernel's account of this process says. A drive's own cache stays in the way. One block costs this program some 15 µs,
 * so that no more than some 60 000 op/s can show.
 * @throws an error of the file system that is no lack of room or of rights; the signal's reason.
 */
export async function measureDisk(
  options: DiskOptions,
  budget: DiskBudget,
  watch: Watch,
): Promise<DiskFigures> {
  const { folder, reserveBytes = RESERVE_BYTES } = options
  const memory = await memoryKindOf(folder)
  if (memory !== null) return none(`This folder lies in memory (${memory}) and not on a disk.`)
  const plan = planFile({ freeBytes: await freeBytesAt(folder), reserveBytes, ...budget })
  if ("reason" in plan) return none(plan.reason)
  const opened = await openScratchFile(folder, options.direct).catch(error => reasonFor(error, folder))
  if (typeof opened === "string") return none(opened)
  try {
    const disk = new Disk(opened.handle, opened.isDirect, plan.fileBytes)
    return { ...(await measure(disk, folder, budget, watch)), isDirect: opened.isDirect }
  } finally {
    // What is under way in a disk that hangs is not waited for; the file goes with it.
    const closed = opened.handle.close().catch(() => {})
    await Promise.race([closed, sleep(CLOSE_LIMIT_MS, undefined, { ref: false })])
  }
}

/** A tenth of what is free at most, and never what others need. */
export function planFile(ground: {
  freeBytes: number | null
  reserveBytes: number
  fileBytes: number
}): { fileBytes: number } | { reason: string } {
  const { freeBytes, reserveBytes, fileBytes } = ground
  if (freeBytes === null) return { reason: "The system does not tell how much of this disk is free." }
  const room = Math.min(fileBytes, freeBytes * SHARE_OF_FREE, freeBytes - reserveBytes)
  if (room >= LEAST_BYTES) return { fileBytes: Math.floor(room / PIECE_BYTES) * PIECE_BYTES }
  const free = prettyBytes(freeBytes, { binary: true })
  return { reason: `Only ${free} are free on this disk, too little to try it without filling it. Make room.` }
}

async function measure(disk: Disk, folder: string, budget: DiskBudget, watch: Watch): Promise<Figures> {
  const figures: Figures[] = []
  let failure: string | null = null
  for (const trial of disk.trials) {
    const reason: string | null = failure ?? cachedOnly(disk, trial)
    const figure: Figures | string =
      reason ?? (await attempt(disk, trial, budget, watch).catch(error => reasonFor(error, folder)))
    watch.signal.throwIfAborted()
    if (typeof figure === "string") figures.push(lacking(trial.name, figure))
    else figures.push(figure)
    // A disk that failed once is not asked again.
    if (reason === null && typeof figure === "string") failure = figure
  }
  return together(figures)
}

function cachedOnly({ isDirect }: Disk, { way }: Trial): string | null {
  if (isDirect || way === "write") return null
  return "This file system refuses to be read past the system's cache (O_DIRECT), so that it would be the memory that is measured."
}

async function attempt(disk: Disk, trial: Trial, budget: DiskBudget, watch: Watch): Promise<Figures> {
  const { name, unit, way } = trial
  const before = await diskTraffic()
  let bytes = 0
  const once = async () => {
    disk.begin()
    const { amount, seconds } = await inLanes(budget.windowMs, trial, watch)
    bytes += unit === "op/s" ? amount * BLOCK_BYTES : amount
    return amount / seconds
  }
  const isSpent = () => way === "write" && bytes >= budget.writtenBytes
  const measurement = await repeated({ name, unit }, budget, once, watch, isSpent)
  if (reachedDisk(before, await diskTraffic(), way, bytes))
    return { measurements: [measurement], unmeasured: [] }
  const reason =
    "No disk of this machine saw all of the bytes: the file system's own cache, or another machine, served them."
  return lacking(name, reason)
}

/** For a host; anything else is thrown on. */
function reasonFor(error: unknown, folder: string): string {
  if (error instanceof Stalled) return "The disk did not answer for half a minute."
  const { code = "" } = (error ?? {}) as NodeJS.ErrnoException
  if (asDiskFull(error, folder) !== error) return "The disk filled up meanwhile. Make room, then try again."
  if (["EACCES", "EPERM", "EROFS"].includes(code))
    return `This program may not write into ${folder} (${code}).`
  if (code === "EINVAL") return "This file system does not take blocks of 4 KiB past the system's cache."
  if (code === "EIO") return "The disk failed with an input or output error: look at its health (smartctl)."
  throw error
}

function none(reason: string): DiskFigures {
  const names = ["write-sequential", "read-sequential", "read-4k-random", "write-4k-random"]
  return {
    measurements: [],
    unmeasured: names.map(name => unmeasured(`disk-${name}`, reason)),
    isDirect: null,
  }
}

function lacking(name: string, reason: string): Figures {
  return { measurements: [], unmeasured: [unmeasured(name, reason)] }
}
