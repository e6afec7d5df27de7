import { setTimeout as sleep } from "node:timers/promises"
import { Fault, isFault } from "../../protocol/fault.ts"
import type { Limits } from "../../protocol/shard-spec.ts"
import { cpuSecondsOf } from "../container/cgroup.ts"
import type { ContainerState, Engine } from "../container/engine.ts"
import { outputTooLarge } from "../container/outputs.ts"
import type { Metered } from "../host/telemetry/meter.ts"
import { patiently } from "./patience.ts"
import { foldersOf, type Ports } from "./ports.ts"
import { type Progress, parseProgress } from "./progress.ts"
import { type RunClock, startRunClock } from "./run-clock.ts"
import type { Running } from "./state.ts"

const TICK_MS = 500
const REJOIN_LINES = 200
/** Between two tries to follow a log that tells nothing, as while the engine is away. */
const LONGEST_REJOIN_MS = 16_000
const MIB = 2 ** 20

/** How a container ended. */
export interface End {
  state: ContainerState
  /** Null where the machine does not tell. */
  cpuSeconds: number | null
  /** What its cards used. */
  metered: Metered
  /** The limit for which it was killed. */
  breach: Fault | null
  /** The highest step that it told of. */
  step: number | null
  /** How long it ran, in milliseconds; null when it had ended before anybody watched: this machine or this program was down. */
  ranMs: number | null
}

/** A container that is not there any more: removed by somebody else while it was watched, or before. */
export interface Gone {
  state: null
  step: number | null
  wasWatched: boolean
}

type Needs = Pick<Ports, "engine" | "store" | "shardsRoot" | "onProgress" | "disks" | "meter">

/**
 * Watches a container to its end: progress, CPU time, and the limits that the engine does not hold. An engine that is away is waited for.
 * `unstarted` for a container that was made and never ran.
 * @throws Fault `engine-*` when the engine does not come back.
 */
export async function watch(
  shard: Running,
  ports: Needs,
  signal: AbortSignal,
): Promise<End | Gone | "unstarted"> {
  const { engine } = ports
  const id = shard.containerId
  const first = await patiently(() => engine.state(id, signal), engine, signal)
  if (first === null) return { state: null, step: null, wasWatched: false }
  if (first.status === "created") return "unstarted"
  // Whatever ends the watch ends its parts.
  using parts = new Parts(signal)
  using meter = ports.meter(shard.berth.gpus)
  const clock = first.status === "running" ? await startRunClock(id, first) : null
  const ended = untilEnd(engine, id, parts.signal)
  const { step, ...seen } = await supervise(shard, ports, { first, clock, ended, signal: parts.signal })
  const state = await ended
  if (state === null) return { state, step, wasWatched: true }
  const metered = meter.read(Date.parse(state.startedAt), Date.parse(state.finishedAt))
  return { state, step, metered, ...seen }
}

class Parts implements Disposable {
  readonly signal: AbortSignal
  readonly #over = new AbortController()

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#over.signal])
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }
}

/**
 * Resolves with the container's state at its end, with null when it is gone. A restart of the engine breaks a wait while the container may
 * live on, and one that somebody restarts has not ended.
 */
async function untilEnd(engine: Engine, id: string, signal: AbortSignal): Promise<ContainerState | null> {
  const look = () => patiently(() => engine.state(id, signal), engine, signal)
  let state = await look()
  while (state !== null && state.status !== "exited") {
    await engine.wait(id, signal).catch(error => {
      if (!isFault(error)) throw error
    })
    state = await look()
    // The engine can tell of an end a moment before it notes it.
    if (state?.status === "running") await sleep(TICK_MS, undefined, { signal })
  }
  return state
}

interface Watching {
  first: ContainerState
  /** Null when it had ended before. */
  clock: RunClock | null
  ended: Promise<ContainerState | null>
  signal: AbortSignal
}

async function supervise(shard: Running, ports: Needs, { first, clock, ended, signal }: Watching) {
  const { lease, spec } = shard.assignment
  const telling = tellProgress(shard, ports, { ended, signal })
  let cpuSeconds: number | null = null
  let breach: Fault | null = null
  while (!(await endsWithin(ended, TICK_MS, signal))) {
    telling.tell(lease)
    cpuSeconds = (await cpuSecondsOf(first.pid)) ?? cpuSeconds
    breach ??= overtime(clock, spec.limits) ?? (await oversize(shard, ports))
    if (breach !== null) await killIfThere(ports.engine, shard.containerId, signal)
  }
  const ranMs = clock?.() ?? null
  await telling.done
  telling.tell(lease)
  // A fast writer meets the limit and ends between two looks.
  breach ??= await oversize(shard, ports)
  return { cpuSeconds, breach, ranMs, step: telling.step() }
}

/** While the engine is away nobody can be killed; the next look tries again. */
async function killIfThere(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  await engine.kill(id, signal).catch(error => {
    if (!isFault(error)) throw error
  })
}

/** True when it ended, false when the time passed first. */
async function endsWithin(ended: Promise<unknown>, ms: number, signal: AbortSignal): Promise<boolean> {
  using tick = new Parts(signal)
  const later = sleep(ms, false, { signal: tick.signal }).catch(() => false)
  const over = await Promise.race([ended.then(() => true), later])
  signal.throwIfAborted()
  return over
}

/** Reads the program's stdout; tells the newest progress at most once a tick, however fast a program prints. */
function tellProgress(
  { containerId }: Running,
  { engine, onProgress }: Needs,
  { ended, signal }: Pick<Watching, "ended" | "signal">,
) {
  let newest: Progress | null = null
  let highest: number | null = null
  const hear = (line: string) => {
    const told = parseProgress(line)
    if (told === null) return
    newest = told
    highest = Math.max(highest ?? 0, told.step)
  }
  const read = async () => {
    let lines: number | "all" = "all"
    let pauseMs = TICK_MS
    // Docker gives up following a log that a program floods; then it is taken up again near its end.
    do {
      pauseMs = Math.min(pauseMs * 2, LONGEST_REJOIN_MS)
      for await (const line of engine.logs(containerId, lines, signal)) {
        hear(line)
        pauseMs = TICK_MS
        lines = REJOIN_LINES
      }
    } while (!(await endsWithin(ended, pauseMs, signal)))
  }
  const tell = (lease: Running["assignment"]["lease"]) => {
    if (newest !== null) onProgress(lease, newest)
    newest = null
  }
  // Progress is a courtesy: a log that cannot be followed must not end a shard.
  return { tell, step: () => highest, done: read().catch(() => {}) }
}

function overtime(clock: RunClock | null, { timeMs }: Limits): Fault | null {
  const elapsedMs = Math.round(clock?.() ?? 0)
  if (elapsedMs <= timeMs) return null
  return new Fault("shard-timed-out", `The shard ran longer than its ${timeMs / 1000} s.`, {
    hint: "Give it less work, or ask for a higher limits.timeMs.",
    facts: { elapsedMs, timeMs },
  })
}

async function oversize(shard: Running, ports: Needs): Promise<Fault | null> {
  const { outMiB, checkpointMiB } = shard.assignment.spec.limits
  const { out, checkpoint } = foldersOf(shard, ports)
  const outBytes = await ports.disks.usedBytes(out, outMiB * MIB)
  if (outBytes > outMiB * MIB)
    return outputTooLarge("The shard wrote more to /shard/out than it may.", outBytes, outMiB * MIB)
  const bytes = await ports.disks.usedBytes(checkpoint, checkpointMiB * MIB)
  if (bytes <= checkpointMiB * MIB) return null
  return new Fault("shard-too-large", "The shard wrote more to /shard/checkpoint than it may.", {
    hint: "Keep fewer checkpoints, or ask for a higher limits.checkpointMiB.",
    facts: { bytes, limitBytes: checkpointMiB * MIB },
  })
}
