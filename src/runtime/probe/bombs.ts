import { open, stat } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import type { Engine } from "../container/engine.ts"
import { type Placement, sandboxArgs } from "../container/sandbox.ts"
import type { Setting } from "./attempts.ts"
import type { Tried } from "./judge-jail.ts"
import { inPlace, type PlaceOptions, rootOf, type Task } from "./place.ts"
import { isolationOf } from "./probe.ts"
import { parseSaid, runToEnd, withContainer } from "./run.ts"

/** The limits of a shard that explodes: small, so that what escapes them shows. gVisor's own threads count as processes, some 90. */
export const BOMB_LIMITS = {
  pids: 256,
  tmpMiB: 8,
  shmMiB: 8,
  outMiB: 4,
  checkpointMiB: 4,
  logMiB: 1,
}
export const BOMB_MEMORY_MIB = 64

/** Each asks for several times what its limit allows, and for no more than does no harm where the limit fails. */
const MOST = { processes: 2000, memoryMiB: 256, fileMiB: 32, orphans: 600, logMiB: 8 }
/** A name in /tmp takes a kilobyte of the shard's memory, and one on a disk a place in a table. */
const NAMES = { "/tmp": 100_000, "/shard/out": 4000 }
const HOLD_MS = 1000
/** Between being asked to end and being ended. */
const STALL_GRACE_MS = 1000
/** How much more than its limit an engine may keep of a log: a file is turned over after the line that fills it. */
const LOG_SLACK = 1.5
const MIB = 2 ** 20

/** A container that tries to use up what is not its own. */
export interface Bomb {
  name: string
  /** What is tried, as it follows "it tried to". */
  tries: string
  argv: readonly string[]
  run: "to-its-end" | "until-stopped" | "for-its-log"
  /** Whether gVisor itself may end of it, and its container with it. */
  endsGvisor?: boolean
  tolerated?: (setting: Pick<Setting, "disks">) => string | null
}

const measured = ({ disks }: Pick<Setting, "disks">) =>
  disks === "watched"
    ? "Without root the folder has no size of its own; it is measured while the shard runs, and the shard is ended."
    : null

export const BOMBS: readonly Bomb[] = [
  {
    ...bomb("fork-bomb", "make more processes than it may", `most=${MOST.processes}`, `hold-ms=${HOLD_MS}`),
    endsGvisor: true,
  },
  bomb("memory-bomb", "take more memory than it may", `most=${MOST.memoryMiB}`),
  bomb("orphans", "leave ended processes behind", `most=${MOST.orphans}`),
  filler("disk-filler", "/tmp"),
  filler("disk-filler", "/dev/shm"),
  { ...filler("disk-filler", "/shard/out"), tolerated: measured },
  { ...filler("disk-filler", "/shard/checkpoint"), tolerated: measured },
  filler("large-file", "/shard/out"),
  nameFiller("/tmp"),
  { ...nameFiller("/shard/out"), tolerated: measured },
  { ...bomb("log-flood", "fill the disk with output", `most=${MOST.logMiB}`), run: "for-its-log" },
  { ...bomb("stall", "go on after it was asked to end"), run: "until-stopped" },
]

function bomb(name: string, tries: string, ...args: string[]): Bomb {
  return { name, tries, argv: ["bomb", name, ...args], run: "to-its-end" }
}

function filler(program: "disk-filler" | "large-file", folder: string): Bomb {
  const tries = program === "large-file" ? "grow one file without end" : `fill ${folder}`
  const args = [`folder=${folder}`, `most=${MOST.fileMiB}`]
  return { ...bomb(program, tries, ...args), name: `${program} ${folder}` }
}

function nameFiller(folder: keyof typeof NAMES): Bomb {
  const args = [`folder=${folder}`, `most=${NAMES[folder]}`]
  return {
    ...bomb("name-filler", `fill ${folder} with empty files`, ...args),
    name: `name-filler ${folder}`,
  }
}

/** What a bomb prints. */
const Said = z.strictObject({
  name: z.string(),
  outcome: z.enum(["blocked", "open", "unknown"]),
  how: z.string(),
})

/**
 * Runs one bomb in the sandbox, in a container of its own.
 * @throws as `jail`.
 */
export function explode(one: Bomb, options: PlaceOptions, signal: AbortSignal): Promise<Tried> {
  return explodeWith(one, options, args => args, signal)
}

/** As `explode`, with other flags than the sandbox has. @param change from the sandbox's arguments to others. */
export async function explodeWith(
  one: Bomb,
  options: PlaceOptions,
  change: (args: string[]) => string[],
  signal: AbortSignal,
): Promise<Tried> {
  const task: Task = { argv: one.argv, limits: BOMB_LIMITS, memoryMiB: BOMB_MEMORY_MIB }
  const light = (placement: Placement) => {
    const args = change(sandboxArgs(placement))
    if (one.run === "until-stopped") return stopped(one, options.engine, args, placement, signal)
    if (one.run === "for-its-log") return flooded(one, options.engine, args, placement, signal)
    return ended(one, options, args, placement, signal)
  }
  return inPlace(options, task, light, signal)
}

async function ended(
  { name, tolerated, endsGvisor = false }: Bomb,
  options: PlaceOptions,
  args: string[],
  { labels }: Placement,
  signal: AbortSignal,
): Promise<Tried> {
  const { exitCode, oomKilled, stdout } = await runToEnd(options.engine, args, labels, signal)
  // The kernel may end the whole container instead of the process that took too much.
  if (exitCode === 137 && stdout === "")
    return { name, outcome: "blocked", how: oomKilled ? "ended for its memory" : "ended by SIGKILL" }
  if (endsGvisor && isolationOf(options) === "gvisor" && exitCode !== 0)
    return { name, outcome: "blocked", how: `gVisor itself ended, with exit code ${exitCode}` }
  const { outcome, how } = parseSaid(Said, exitCode, stdout)
  const setting = { disks: options.disks?.kind ?? "watched" }
  const reason = outcome === "open" ? (tolerated?.(setting) ?? null) : null
  return reason === null ? { name, outcome, how } : { name, outcome: "tolerated", how: `${how}. ${reason}` }
}

/** How much of the output the engine has kept. */
async function flooded(
  { name }: Bomb,
  engine: Engine,
  args: string[],
  placement: Placement,
  signal: AbortSignal,
): Promise<Tried> {
  const path = join(rootOf(placement), "log")
  const read = async (id: string, within: AbortSignal) => {
    const exitCode = await engine.wait(id, within)
    const file = await open(path, "w", 0o600)
    try {
      await engine.saveLog(id, file.fd, within)
    } finally {
      await file.close()
    }
    return { exitCode, bytes: (await stat(path)).size }
  }
  const { exitCode, bytes } = await withContainer(engine, args, placement.labels, read, signal)
  // Without a flood nothing was kept either.
  if (exitCode !== 0 || bytes === 0)
    return { name, outcome: "unknown", how: `it ended with exit code ${exitCode}` }
  const how = `the engine kept ${(bytes / MIB).toFixed(1)} MiB of ${MOST.logMiB}`
  return { name, outcome: bytes <= BOMB_LIMITS.logMiB * MIB * LOG_SLACK ? "blocked" : "open", how }
}

/** Asks it to end once it ignores that. */
async function stopped(
  { name }: Bomb,
  engine: Engine,
  args: string[],
  { labels }: Placement,
  signal: AbortSignal,
): Promise<Tried> {
  const end = async (id: string, within: AbortSignal) => {
    let stalls = false
    for await (const line of engine.logs(id, "all", within)) {
      stalls = line === "stalling"
      if (stalls) break
    }
    await engine.stop(id, STALL_GRACE_MS, within)
    return { stalls, state: await engine.state(id, within) }
  }
  const { stalls, state } = await withContainer(engine, args, labels, end, signal)
  if (!stalls)
    return {
      name,
      outcome: "unknown",
      how: `it ended by itself, with exit code ${state?.exitCode ?? "unknown"}`,
    }
  if (state?.status === "running") return { name, outcome: "open", how: "it runs on" }
  return {
    name,
    outcome: "blocked",
    how: `ended with exit code ${state?.exitCode ?? "unknown"} after its grace`,
  }
}
