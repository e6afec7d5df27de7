import type { Logger } from "pino"
import { BlobStore } from "../../store/blob-store.ts"
import { loadIdentity } from "../../store/identity.ts"
import { BlobTransfer } from "../blob/transfer.ts"
import { chooseDisks } from "../container/disks.ts"
import { readRules } from "../host/rules/rules-file.ts"
import { startTelemetry } from "../host/telemetry/telemetry.ts"
import { Link } from "../market/link.ts"
import { registryUrl } from "../market/session.ts"
import { ProofArchive } from "../proof/archive.ts"
import { sweep } from "../shard/clean.ts"
import { GRACE_MS } from "../shard/grace.ts"
import { openJournal, type Totals } from "../shard/journal.ts"
import type { Berth } from "../shard/state.ts"
import { Agent } from "./agent.ts"
import type { EngineWish } from "./choose-engine.ts"
import { openControl } from "./control.ts"
import type { Home } from "./home.ts"
import { type MetricsOptions, openMetrics } from "./metrics.ts"
import { openEngines, passJail } from "./open-engines.ts"
import { type Offering, openSlots } from "./open-slots.ts"
import { requireSettings } from "./settings.ts"

export interface ServeOptions {
  home: Home
  offering: Offering
  /** Which engine and which runtime, where it matters to the owner. */
  isolation: Pick<EngineWish, "engine" | "runtime">
  /** Where sysfs is mounted. */
  sysfs: string
  /** Where the metrics are told; null for nowhere. */
  metrics: Pick<MetricsOptions, "host" | "port" | "dcgm"> | null
  /** This program, for the marketplace's log and for proofs. */
  program: { name: string; version: string }
  log: Logger
}

/**
 * Serves until the signal aborts; tells what this home has earned in all.
 * @throws Fault `rules-unreadable`, `nothing-to-offer`, `gpu-unusable`, `not-registered`, `already-serving`, `toolkit-unsafe`, `engine-*`, `jail-broken`, `probe-*`, or a final refusal of the marketplace.
 */
export async function serve(
  { home, offering, isolation, sysfs, metrics, program, log }: ServeOptions,
  signal: AbortSignal,
): Promise<Totals> {
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
  await using parts = new AsyncDisposableStack()
  const journal = parts.adopt(openJournal(home.journal), open => open.close())
  const sampling = parts.adopt(new AbortController(), control => control.abort())
  const telemetry = startTelemetry({ gpus: detected, sysfs, log }, AbortSignal.any([signal, sampling.signal]))
  const link = new Link(
    { url: market.url, signer, agent: `${program.name}/${program.version}`, pinned: market.publicKey },
    log,
  )
  const registry = { url: registryUrl(market.url), token: () => link.current?.token ?? "" }
  const store = new BlobStore(home.blobs)
  const ports = {
    engine,
    store,
    registry,
    signer,
    transfer: new BlobTransfer({ registry, store }),
    archive: new ProofArchive(home.proofs),
    shardsRoot: home.shards,
    rules,
    disks,
    home: signer.keyId,
    version: program.version,
    marketKey: market.publicKey,
    graceMs: GRACE_MS,
    meter: (cards: Berth["gpus"]) => telemetry.meter(cards.map(telemetry.identify)),
  }
  const agent = new Agent({ slots, telemetry, link, journal, ports, gpuEngine, log })
  parts.use(await openControl(home, () => agent.status()))
  if (metrics !== null) {
    const collect = () => ({ version: program.version, agent: agent.status(), cards: telemetry.cards() })
    parts.adopt(await openMetrics({ ...metrics, collect, log }, signal), endpoint => endpoint.close())
  }
  await sweep(journal.open(), ports, signal)
  const { facts } = engine
  const where = {
    engine: `${facts.name} ${facts.version}`,
    runtime: facts.runtime,
    isolation: facts.isolation,
  }
  log.info(
    { agent: signer.keyId, slots: slots.map(({ slot }) => slot.id), ...where, disks: disks.kind },
    "agent.serving",
  )
  await Promise.race([agent.serve(signal), failureOf(telemetry.ended)])
  log.info("agent.stopped")
  return journal.totals()
}

/** Settles only when this ends with a bug. */
function failureOf(task: Promise<void>): Promise<never> {
  return task.then(() => new Promise<never>(() => {}))
}
