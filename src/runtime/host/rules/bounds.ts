import type { ShardSpec } from "../../../protocol/shard-spec.ts"

/** One of the owner's limits: what a spec asks for under it, and how much it may be. */
interface Bound {
  unit: string
  /** What the protocol lets a spec ask for, and so the most that a rule can say. */
  most: number
  /** Where the owner says nothing. */
  otherwise: number
  asked: (spec: ShardSpec) => number
}

const MS_PER_MINUTE = 60_000
const BYTES_PER_MIB = 2 ** 20

/**
 * The limits that an owner can set, by name. What fills this machine's disk is lower than the protocol's maximum where nothing is said;
 * what a slot's memory bounds anyway (/tmp, /dev/shm, processes, files) and what a lease's price pays for (time) is not.
 */
export const BOUNDS = {
  timeMinutes: {
    unit: "minutes",
    ...same(24 * 60),
    asked: ({ limits }) => limits.timeMs / MS_PER_MINUTE,
  },
  inputsMiB: {
    unit: "MiB",
    most: 2 ** 30,
    otherwise: 32_768,
    asked: ({ inputs }) => inputs.reduce((sum, { size }) => sum + size, 0) / BYTES_PER_MIB,
  },
  outMiB: { unit: "MiB", most: 65_536, otherwise: 16_384, asked: ({ limits }) => limits.outMiB },
  checkpointMiB: {
    unit: "MiB",
    most: 65_536,
    otherwise: 16_384,
    asked: ({ limits }) => limits.checkpointMiB,
  },
  tmpMiB: { unit: "MiB", ...same(4096), asked: ({ limits }) => limits.tmpMiB },
  shmMiB: { unit: "MiB", ...same(65_536), asked: ({ limits }) => limits.shmMiB },
  logMiB: { unit: "MiB", ...same(64), asked: ({ limits }) => limits.logMiB },
  pids: { unit: "processes", ...same(4096), asked: ({ limits }) => limits.pids },
  openFiles: { unit: "files", ...same(65_536), asked: ({ limits }) => limits.openFiles },
} as const satisfies Record<string, Bound>

export type BoundName = keyof typeof BOUNDS

export const BOUND_NAMES = Object.keys(BOUNDS) as BoundName[]

function same(most: number): Pick<Bound, "most" | "otherwise"> {
  return { most, otherwise: most }
}
