import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Fault, isFault } from "../../protocol/fault.ts"
import { randomId } from "../../protocol/handshake.ts"
import { connectEngine } from "../container/connect.ts"
import type { EngineName } from "../container/dialect.ts"
import type { Engine, EngineFacts } from "../container/engine.ts"
import { dishonoured } from "../probe/honoured.ts"
import { expectedOf, probe } from "../probe/probe.ts"

/** A runtime that hangs is told from one that starts slowly; gVisor takes a second or two. */
const TRIAL_LIMIT_MS = 30_000
/** Names under which gVisor is registered. */
const GVISOR = /^runsc(-|$)/

export interface EngineWish {
  engine: "auto" | EngineName
  /** `auto`, or a runtime's name such as `runsc`. */
  runtime: "auto" | (string & {})
  /** Whether there will be GPU slots. */
  gpus: boolean
  signal: AbortSignal
  /** The engines' command lines where they are not on PATH by their own names. */
  programs?: Partial<Record<EngineName, string>>
  /** A folder that exists and that the engines see, for the trials' files. */
  scratch?: string
}

/** A way that was not taken, and why. */
export interface PassedOverEngine {
  engine: EngineName
  /** Null for the engine as a whole, or its default runtime. */
  runtime: string | null
  reason: string
}

export interface ChosenEngine {
  /** For slots without a GPU. */
  engine: Engine
  /** For GPU slots: the same, unless its runtime passes no GPU on. Null when none was wished for. */
  gpuEngine: Engine | null
  passedOver: PassedOverEngine[]
}

/**
 * The strongest isolation that works here and holds a shard's limits, over all engines: gVisor, then an engine without root, then an
 * engine's default runtime. Each way is tried
 * with the probe in the sandbox that shards get, because a runtime that is installed need not work. What is named is taken or refused.
 * @throws Fault `engine-*`, `container-not-created` or `probe-*` of the first way that was tried when none works.
 */
export async function chooseEngine(wish: EngineWish): Promise<ChosenEngine> {
  const trials: Trials = { wish, passedOver: [], faults: [] }
  const ways = await waysOf(trials)
  const engine = await firstThatWorks(ways, trials)
  if (engine === null) throw clearestOf(trials.faults)
  return { engine, gpuEngine: await gpuEngineFor(engine, ways, trials), passedOver: trials.passedOver }
}

interface Way {
  engine: EngineName
  /** Null for the engine's default. */
  runtime: string | null
  /** More is stronger. */
  strength: number
}

interface Trials {
  wish: EngineWish
  passedOver: PassedOverEngine[]
  faults: Fault[]
}

/** The strongest first; of equal ones those of the engine that stands first in {@link BY_ITSELF}. */
async function waysOf(trials: Trials): Promise<Way[]> {
  const { engine: wanted, runtime } = trials.wish
  const ways: Way[] = []
  for (const engine of wanted === "auto" ? BY_ITSELF : [wanted]) {
    const facts = await factsOf(engine, trials)
    if (facts !== null) ways.push(...waysThrough(engine, facts, runtime).map(way => ({ engine, ...way })))
  }
  return ways.sort((one, other) => other.strength - one.strength)
}

/** Docker before Podman, as more hosts have images there already. */
const BY_ITSELF: readonly EngineName[] = ["docker", "podman"]

async function factsOf(engine: EngineName, { wish, ...told }: Trials): Promise<EngineFacts | null> {
  try {
    return (await connect({ engine, runtime: null }, wish, "reported")).facts
  } catch (error) {
    passOver({ engine, runtime: null }, error, wish, told)
    return null
  }
}

/** @throws what is no fault, and the signal's reason when it is aborted. */
function passOver(
  way: Pick<Way, "engine" | "runtime">,
  error: unknown,
  { signal }: EngineWish,
  { passedOver, faults }: Omit<Trials, "wish">,
): void {
  signal.throwIfAborted()
  if (!isFault(error)) throw error
  faults.push(error)
  passedOver.push({ engine: way.engine, runtime: way.runtime, reason: error.message })
}

/** An engine's runtimes that are worth a trial: what was named, else gVisor, its default one, and what may work where that fails. */
export function waysThrough(
  engine: EngineName,
  facts: Pick<EngineFacts, "rootless" | "runtimes">,
  wanted: EngineWish["runtime"],
): Pick<Way, "runtime" | "strength">[] {
  const strength = facts.rootless ? 1 : 0
  if (wanted !== "auto") return [{ runtime: wanted, strength }]
  // Podman does not list what it could run. gVisor needs root under it.
  const podmans = facts.rootless ? [] : ["runsc"]
  const gvisors = engine === "podman" ? podmans : facts.runtimes.filter(name => GVISOR.test(name)).sort()
  return [
    ...gvisors.map(runtime => ({ runtime, strength: 2 + strength })),
    { runtime: null, strength },
    // crun, with which most Podmans start, refuses a machine that has cgroups of both versions.
    ...(engine === "podman" ? [{ runtime: "runc", strength }] : []),
  ]
}

async function firstThatWorks(ways: readonly Way[], trials: Trials): Promise<Engine | null> {
  for (const way of ways) {
    const engine = await tryWay(way, trials)
    if (engine !== null) return engine
  }
  return null
}

async function tryWay(way: Way, { wish, ...told }: Trials): Promise<Engine | null> {
  try {
    const connected = await connect(way, wish, "held")
    await tryOut(connected, wish)
    return connected
  } catch (error) {
    passOver(way, error, wish, told)
    return null
  }
}

/** GPU slots stay with the same engine, whose images are there; the runtime has to pass devices on. */
async function gpuEngineFor(chosen: Engine, ways: readonly Way[], trials: Trials): Promise<Engine | null> {
  if (!trials.wish.gpus || chosen.facts.passesGpus) return trials.wish.gpus ? chosen : null
  if (trials.wish.runtime !== "auto") throw passesNone(chosen.facts.runtime)
  const others = ways.filter(
    ({ engine, runtime }) => engine === chosen.facts.name && !GVISOR.test(runtime ?? ""),
  )
  const engine = await firstThatWorks(others, trials)
  if (engine === null) throw clearestOf(trials.faults)
  return engine
}

function connect(
  { engine, runtime }: Pick<Way, "engine" | "runtime">,
  { signal, programs }: EngineWish,
  limits: "held" | "reported",
): Promise<Engine> {
  const program = programs?.[engine] ?? engine
  return connectEngine({ engine, program, signal, limits, ...(runtime === null ? {} : { runtime }) })
}

/** @throws Fault `engine-refused` when a wall of the sandbox does not stand, or when the runtime does not answer. */
async function tryOut(engine: Engine, { signal, scratch = tmpdir() }: EngineWish): Promise<void> {
  const root = await mkdtemp(join(scratch, "zg-trial-"))
  const limit = AbortSignal.timeout(TRIAL_LIMIT_MS)
  const options = { engine, gpu: { device: "cpu" } as const, home: `trial-${randomId()}`, scratch: root }
  try {
    const report = await probe(options, AbortSignal.any([signal, limit]))
    const [broken] = dishonoured(report, expectedOf(options))
    if (broken !== undefined) throw notHonoured(engine.facts, broken.flag)
  } catch (error) {
    signal.throwIfAborted()
    if (error === limit.reason) throw hangs(engine.facts)
    throw error
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** What says most: a broken way tells more than an engine that is not installed. */
function clearestOf(faults: readonly Fault[]): Error {
  return faults.find(({ code }) => code !== "engine-missing") ?? faults[0] ?? new Error("no way was tried")
}

function notHonoured({ name, runtime }: EngineFacts, flag: string): Fault {
  return new Fault(
    "engine-refused",
    `The ${name} engine with the runtime ${runtime} does not hold ${flag}.`,
    {
      hint: "Run `zg-agent doctor` for all that does not hold, or name another engine with --engine or --runtime.",
      facts: { engine: name, runtime, flag },
    },
  )
}

function hangs({ name, runtime }: EngineFacts): Fault {
  const message = `A container of ${name} with the runtime ${runtime} did not end within ${TRIAL_LIMIT_MS / 1000} s.`
  return new Fault("engine-silent", message, {
    hint: "Try it yourself, or name another runtime with --runtime.",
    facts: { engine: name, runtime },
  })
}

function passesNone(runtime: string): Fault {
  return new Fault("engine-refused", `The runtime ${runtime} passes no GPU on to a container.`, {
    hint: "Leave the runtime to the agent, offer no GPU (--gpus none), or register gVisor with --nvproxy=true.",
    facts: { runtime },
  })
}
