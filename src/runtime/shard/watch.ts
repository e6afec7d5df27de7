import { setTimeout as sleep } from "node:timers/promises"
import pRetry from "p-retry"
import { Fault } from "../../protocol/fault.ts"
import type { Limits } from "../../protocol/shard-spec.ts"
import { cpuSecondsOf } from "../container/cgroup.ts"
import type { ContainerState, Engine } from "../container/engine.ts"
import { outputTooLarge } from "../container/outputs.ts"
import type { Metered } from "../host/telemetry/meter.ts"
import { foldersOf, type Ports } from "./ports.ts"
import { type Progress, parseProgress } from "./progress.ts"
import type { Running } from "./state.ts"

const TICK_MS = 500
/** A restart of the engine breaks a wait; the container may live on. */
const WAIT_RETRIES = 5
const REJOIN_LINES = 200
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
  /** It had ended before anybody watched: this machine or this program was down. */
  unseen: boolean
}

type Needs = Pick<Ports, "engine" | "store" | "shardsRoot" | "onProgress" | "disks" | "meter">

/** Watches a container to its end: progress, CPU time, and the limits that the engine does not hold. Null when it is gone. */
export async function watch(shard: Running, ports: Needs, signal: AbortSignal): Promise<End | null> {
  const { engine } = ports
  const first = await engine.state(shard.containerId, signal)
  if (first === null || first.status === "created") return null
  const unseen = first.status === "exited"
  // Whatever ends the watch ends its parts.
  using parts = new Parts(signal)
  using meter = ports.meter(shard.berth.gpus)
  const ended = untilEnd(engine, shard.containerId, parts.signal)
  const { cpuSeconds, breach } = await supervise(shard, ports, { first, ended, signal: parts.signal })
  const state = await engine.state(shard.containerId, signal)
  if (state === null) return null
  const metered = meter.read(Date.parse(state.startedAt), Date.parse(state.finishedAt))
  return { state, cpuSeconds, metered, breach, unseen }
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

/** Resolves with true at the container's end, and with false when it is gone. */
function untilEnd(engine: Engine, id: string, signal: AbortSignal): Promise<boolean> {
  const once = async () => {
    if ((await engine.state(id, signal)) === null) return false
    await engine.wait(id, signal)
    return true
  }
  return pRetry(once, { retries: WAIT_RETRIES, signal })
}

interface Watching {
  first: ContainerState
  ended: Promise<boolean>
  signal: AbortSignal
}

async function supervise(shard: Running, ports: Needs, { first, ended, signal }: Watching) {
  const { lease, spec } = shard.assignment
  const telling = tellProgress(shard, ports, { ended, signal })
  let cpuSeconds: number | null = null
  let breach: Fault | null = null
  while (!(await endsWithin(ended, TICK_MS, signal))) {
    telling.tell(lease)
    cpuSeconds = (await cpuSecondsOf(first.pid)) ?? cpuSeconds
    breach ??= overtime(first.startedAt, spec.limits) ?? (await oversize(shard, ports))
    if (breach !== null) await ports.engine.kill(shard.containerId, signal)
  }
  await telling.done
  telling.tell(lease)
  // A fast writer meets the limit and ends between two looks.
  breach ??= await oversize(shard, ports)
  return { cpuSeconds, breach }
}

/** True when it ended, false when the time passed first. */
async function endsWithin(ended: Promise<boolean>, ms: number, signal: AbortSignal): Promise<boolean> {
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
  { ended, signal }: Omit<Watching, "first">,
) {
  let newest: Progress | null = null
  const read = async () => {
    let lines: number | "all" = "all"
    // Docker gives up following a log that a program floods; then it is taken up again near its end.
    do {
      for await (const line of engine.logs(containerId, lines, signal)) newest = parseProgress(line) ?? newest
      lines = REJOIN_LINES
    } while (!(await endsWithin(ended, TICK_MS, signal)))
  }
  const tell = (lease: Running["assignment"]["lease"]) => {
    if (newest !== null) onProgress(lease, newest)
    newest = null
  }
  // Progress is a courtesy: a log that cannot be followed must not end a shard.
  return { tell, done: read().catch(() => {}) }
}

function overtime(startedAt: string, { timeMs }: Limits): Fault | null {
  const elapsedMs = Date.now() - Date.parse(startedAt)
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
