import type { Logger } from "pino"
import { ledgerKey } from "../../protocol/ledger-proof.ts"
import { BlobStore } from "../../store/blob-store.ts"
import { loadIdentity } from "../../store/identity.ts"
import { BlobTransfer } from "../blob/transfer.ts"
import { chooseDisks } from "../container/disks.ts"
import { removeLeftLogins } from "../container/login.ts"
import { readRules } from "../host/rules/rules-file.ts"
import { startTelemetry } from "../host/telemetry/telemetry.ts"
import { ledgerFiles } from "../ledger/files.ts"
import { LedgerWatch } from "../ledger/watch.ts"
import { Link } from "../market/link.ts"
import { registryUrl } from "../market/session.ts"
import { ProofArchive } from "../proof/archive.ts"
import { keepSwept, type Swept, sweep } from "../shard/clean.ts"
import { keepCollected } from "../shard/collect.ts"
import { GRACE_MS } from "../shard/grace.ts"
import { openJournal, type Totals } from "../shard/journal.ts"
import type { Berth } from "../shard/state.ts"
import { SEND_EVERY_MS } from "../shard/travel.ts"
import { Agent } from "./agent.ts"
import type { EngineWish } from "./choose-engine.ts"
import { claimHome, openControl } from "./control.ts"
import type { Home } from "./home.ts"
import { measuredHere } from "./measured.ts"
import { type MetricsOptions, openMetrics } from "./metrics.ts"
import { type Mode, readPause } from "./mode.ts"
import { Notifier, type Supervision } from "./notification.ts"
import { openEngines, passJail } from "./open-engines.ts"
import { type Offering, openSlots } from "./open-slots.ts"
import { requireSettings } from "./settings.ts"
import { supervise } from "./supervise.ts"
import { isDone } from "./work.ts"

export interface ServeOptions {
  home: Home
  offering: Offering
  /** Which engine and which runtime, where it matters to the owner. */
  isolation: Pick<EngineWish, "engine" | "runtime">
  /** Where sysfs is mounted. */
  sysfs: string
  /** Where the metrics are told; null for nowhere. */
  metrics: Pick<MetricsOptions, "host" | "port" | "dcgm"> | null
  /** Who wants to know that the agent lives; nobody when not given. */
  supervision?: Supervision | null
  /** This program, for the marketplace's log and for proofs. */
  program: { name: string; version: string }
  log: Logger
}

/** A quick look at as many cards as a rig has. */
const MEASURING_LIMIT_MS = 15 * 60_000

/**
 * Serves until the signal aborts or the agent is drained; tells what this home has earned in all.
 * @throws Fault `rules-unreadable`, `nothing-to-offer`, `gpu-unusable`, `not-registered`, `already-serving`, `toolkit-unsafe`, `engine-*`, `jail-broken`, `probe-*`, `ledger-forked`, or a final refusal of the marketplace.
 */
export async function serve(options: ServeOptions, signal: AbortSignal): Promise<Totals> {
  const { home, metrics, program, supervision = null, log } = options
  requireSettings(home)
  await using parts = new AsyncDisposableStack()
  parts.adopt(await claimHome(home), lock => lock.release())
  const mode = await readPause(home)
  if (mode.mode === "paused")
    log.warn({ ...mode, hint: "It goes on with `zg-agent resume`." }, "agent.paused")
  const opened = await openAgent(options, mode, parts, signal)
  const { agent, telemetry, journal, ports, chosen, slots, watch } = opened
  const verbs = { pause: () => agent.pause(), resume: () => agent.resume(), drain: () => agent.drain() }
  parts.use(await openControl(home, () => agent.status(), verbs))
  if (metrics !== null) {
    const collect = () => ({ version: program.version, agent: agent.status(), cards: telemetry.cards() })
    parts.adopt(await openMetrics({ ...metrics, collect, log }, signal), endpoint => endpoint.close())
  }
  await removeLeftLogins()
  // Cards may be with another engine or runtime than the CPU.
  const engines = [...new Set([chosen.engine, chosen.gpuEngine ?? chosen.engine])]
  const swept = engines.map(engine => ({ ...ports, engine }))
  for (const part of swept) await sweep(() => journal.open(), part, signal)
  const { name, version, runtime, isolation } = chosen.engine.facts
  const where = { engine: `${name} ${version}`, runtime, isolation, disks: ports.disks.kind }
  log.info({ agent: ports.signer.keyId, slots: slots.map(({ slot }) => slot.id), ...where }, "agent.serving")
  const tellSwept = ({ removed }: Swept) => {
    if (removed.length > 0) log.info({ removed }, "strays.removed")
  }
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const tasks = [
    ...swept.map(part => keepSwept(() => journal.open(), part, either, tellSwept)),
    keepCollected(
      () => journal.open(),
      ports.store,
      either,
      bytes => log.info({ bytes }, "blobs.collected"),
    ),
    watch.keep(either),
    ...(supervision === null ? [] : [supervise(supervision, agent, log, either)]),
  ]
  const serving = agent.serve(either)
  try {
    await Promise.race([serving, ...[telemetry.ended, ...tasks].map(failureOf)])
  } finally {
    over.abort()
    // What fails beside the agent stops it, too: its shards are suspended, and its session ends.
    await Promise.allSettled([serving, ...tasks])
  }
  log.info("agent.stopped")
  return journal.totals()
}

/** The agent and its parts; what has to be closed is closed with the stack. */
async function openAgent(
  { home, offering, isolation, sysfs, program, supervision = null, log }: ServeOptions,
  mode: Mode,
  parts: AsyncDisposableStack,
  signal: AbortSignal,
) {
  const { market } = requireSettings(home)
  const rules = await readRules(home.rules)
  const signer = await loadIdentity(home.identity)
  const chosen = await openEngines({ ...isolation, gpus: offering.gpus !== "none", signal }, log)
  const { engine, gpuEngine } = chosen
  const { slots: offered, detected } = await openSlots(
    { offering, sysfs, engine: (gpuEngine ?? engine).facts, minimumVersions: home.minimumVersions, log },
    signal,
  )
  const disks = await chooseDisks(home.shards, signal)
  const slots = await passJail(
    { chosen, slots: offered, disks, rules, home, market: market.url, log },
    signal,
  )
  const journal = parts.adopt(
    openJournal(home.journal, ({ rows, ...damage }) =>
      log.error({ ...damage, rows: rows.length }, "journal.damaged"),
    ),
    open => open.close(),
  )
  const sampling = parts.adopt(new AbortController(), control => control.abort())
  const telemetry = startTelemetry({ gpus: detected, sysfs, log }, AbortSignal.any([signal, sampling.signal]))
  const link = new Link(
    { url: market.url, signer, agent: `${program.name}/${program.version}`, pinned: market.publicKey },
    log,
  )
  const registry = { url: registryUrl(market.url), token: () => link.token }
  const store = new BlobStore(home.blobs)
  const watch = new LedgerWatch({
    ...{ files: ledgerFiles(market.url), log: ledgerKey(market.publicKey), folder: home.ledger, logger: log },
  })
  const ports = {
    engine,
    store,
    registry,
    signer,
    transfer: new BlobTransfer({ registry, store, online: limit => link.connected(limit) }),
    archive: new ProofArchive(home.proofs),
    shardsRoot: home.shards,
    rules,
    disks,
    home: signer.keyId,
    version: program.version,
    marketKey: market.publicKey,
    onCheckpoint: (checkpoint: string) => watch.saw(checkpoint),
    graceMs: GRACE_MS,
    sendEveryMs: SEND_EVERY_MS,
    meter: (cards: Berth["gpus"]) => telemetry.meter(cards.map(telemetry.identify)),
  }
  const measured = await measuredHere(
    {
      ...{ home, isolation, sysfs, log, agent: `${program.name}/${program.version}` },
      given: { cpus: offering.cpus, memoryMiB: offering.memoryMiB },
      gpus: offering.gpus === "none" ? null : detected,
      isFree: mode.mode === "serving" && journal.open().every(isDone),
      onMeasuring: () => tellMeasuring(supervision, log),
    },
    signal,
  )
  const agent = new Agent({ home, mode, slots, measured, telemetry, link, journal, ports, gpuEngine, log })
  return { agent, telemetry, journal, ports, chosen, slots, watch }
}

/** A supervisor that waits for the start must not take a measurement for a hang. */
async function tellMeasuring(supervision: Supervision | null, log: Logger): Promise<void> {
  if (supervision === null) return
  const extendUsec = MEASURING_LIMIT_MS * 1000
  await new Notifier(supervision, log).say({
    STATUS: "Measuring this machine",
    EXTEND_TIMEOUT_USEC: `${extendUsec}`,
  })
}

/** Settles only when this ends with a bug. */
function failureOf(task: Promise<void>): Promise<never> {
  return task.then(() => new Promise<never>(() => {}))
}
