import os from "node:os"
import {
  type CapacityReport,
  capacityStatement,
  type Depth,
  isWhole,
  type Part,
} from "../../protocol/capacity-report.ts"
import { Fault, isFault } from "../../protocol/fault.ts"
import { signStatement } from "../../protocol/statement.ts"
import { ensureIdentity } from "../../store/identity.ts"
import { FULL, type HostBudget, QUICK } from "../bench/host/budgets.ts"
import { type Figures, type Progress, together, unmeasured, type Watch } from "../bench/host/figure.ts"
import { measureHost } from "../bench/host/host.ts"
import { measureNetwork } from "../bench/host/network.ts"
import { type InstructionSets, lookAtProcessor } from "../bench/host/processor.ts"
import { type CardPeak, cardPeakOf } from "../bench/peak/share.ts"
import { History, type KeptReport, type SignedReport } from "../bench/report/history.ts"
import { detectGpus } from "../host/detect-gpus.ts"
import type { DetectedGpu } from "../host/gpu.ts"
import type { Rules } from "../host/rules/rules.ts"
import { readRules } from "../host/rules/rules-file.ts"
import { registryUrl } from "../market/session.ts"
import { visitMarket } from "../market/visit.ts"
import type { Wire } from "../market/wire.ts"
import { newestJailTest } from "../probe/test-sandbox.ts"
import { measureCards } from "./bench-cards.ts"
import { type TrainerOptions, workOfTrainer } from "./bench-trainer.ts"
import { askControl } from "./control.ts"
import type { Home } from "./home.ts"
import { readSettings } from "./settings.ts"
import type { AgentStatus } from "./status.ts"

export interface BenchOptions extends Omit<TrainerOptions, "rules"> {
  depth: Depth
  parts: ReadonlySet<Part>
  /** This program, as the marketplace's log shows it. */
  agent: string
}

export interface Benched extends KeptReport {
  /** Each card's figures beside its theoretical peak; not in the report, as anybody can derive it. */
  peaks: CardPeak[]
  /** Why the marketplace does not have it; null when it does. */
  unsent: string | null
}

const MIB = 2 ** 20
const TEXT_CHARS = 200

/**
 * Measures this machine, signs and keeps what was found, and tells the home's marketplace.
 * @throws Fault `already-serving` while an agent works here: its shards and the figures would spoil each other; `rules-unreadable`,
 * `host-unsound`, `disk-full`; the signal's reason.
 */
export async function bench(options: BenchOptions, watch: Watch): Promise<Benched> {
  const { home, agent } = options
  await refuseWhileServing(home)
  const rules = await readRules(home.rules)
  const signer = await ensureIdentity(home.identity)
  const report = await measure(options, rules, watch)
  const made = { report, bundle: await signStatement(capacityStatement(report), signer) }
  const kept = await new History(home.reports).keep(made)
  return {
    ...kept,
    peaks: report.cards.map(cardPeakOf),
    unsent: await whyUnsent(home, agent, made, watch.signal),
  }
}

async function measure(options: BenchOptions, rules: Rules, watch: Watch): Promise<CapacityReport> {
  const { home, depth, parts, agent, given } = options
  const startedOn = new Date().toISOString()
  const budget = depth === "quick" ? QUICK : FULL
  const host = parts.has("host")
    ? await measureHost({ folder: home.root, network: null, given }, budget, watch)
    : { measurements: [], unmeasured: [], processor: await lookAtProcessor() }
  const network = parts.has("network") ? await wayToMarket(home, agent, budget, watch) : null
  const cards = parts.has("gpus") ? await cardsHere(options, rules, watch) : { cards: [], software: [] }
  const work = parts.has("work") ? await workOfTrainer({ ...options, rules }, depth, watch) : null
  const { processor } = host
  const measured = together([host, ...(network === null ? [] : [network])])
  return {
    ...{ depth, parts: [...parts], startedOn, finishedOn: new Date().toISOString(), agent },
    host: {
      platform: `${os.platform()} ${os.arch()}`,
      kernel: os.release().slice(0, TEXT_CHARS),
      cpu: (processor.model ?? "unknown").slice(0, TEXT_CHARS),
      physicalCores: processor.physicalCores,
      logicalCores: processor.logicalCores,
      instructionSets: namesOf(processor.instructionSets),
      memoryMiB: Math.floor(os.totalmem() / MIB),
      figures: measured.measurements,
      unmeasured: measured.unmeasured,
    },
    ...{ ...cards, work },
    jail: await newestJailTest(home.root),
  }
}

async function cardsHere({ sysfs, depth }: BenchOptions, rules: Rules, { signal, onProgress }: Watch) {
  const { gpus } = await detectGpus({ sysfs, signal })
  const told =
    onProgress &&
    ((card: DetectedGpu | null, progress: Progress) =>
      onProgress({ ...progress, name: `${card?.name ?? "software"} ${progress.name}` }))
  return measureCards({ gpus, depth, sysfs, ...rules.bench }, { signal, onProgress: told })
}

/** A marketplace that cannot be told is told at the next `register` or start of `serve`. */
async function whyUnsent(
  home: Home,
  agent: string,
  made: SignedReport,
  signal: AbortSignal,
): Promise<string | null> {
  if (!isWhole(made.report)) return "it takes whole reports only, of all parts"
  if (readSettings(home) === null) return "this home is not registered at one"
  try {
    await visitMarket(home, agent, signal, ({ wire }) => tellReport(wire, made, signal))
    return null
  } catch (error) {
    if (!isFault(error)) throw error
    return error.message
  }
}

/** @throws Fault `not-registered`, `market-*`, or the marketplace's refusal. */
export async function tellReport(wire: Wire, { report, bundle }: SignedReport, signal: AbortSignal) {
  await wire.request({ type: "report", report, bundle }, "reported", signal)
}

/** Names of the sets that the processor has; null where it tells of none. */
function namesOf(sets: InstructionSets): string[] | null {
  const known = Object.entries(sets).filter(([, has]) => has !== null)
  return known.length === 0 ? null : known.filter(([, has]) => has).map(([name]) => name)
}

async function wayToMarket(
  home: Home,
  agent: string,
  { network }: HostBudget,
  watch: Watch,
): Promise<Figures> {
  if (readSettings(home) === null) return notMeasured("The agent is not registered at a marketplace.")
  try {
    return await visitMarket(home, agent, watch.signal, ({ wire, token }) => {
      const registry = { url: registryUrl(wire.url), token: () => token }
      return measureNetwork({ session: wire, registry }, network, watch)
    })
  } catch (error) {
    watch.signal.throwIfAborted()
    if (!isFault(error)) throw error
    return notMeasured(error.message)
  }
}

function notMeasured(reason: string): Figures {
  const names = ["market-round-trip", "market-up", "market-down"]
  return { measurements: [], unmeasured: names.map(name => unmeasured(name, reason)) }
}

async function refuseWhileServing(home: Home): Promise<void> {
  const serving = (await askControl(home)) as AgentStatus | null
  if (serving === null || serving.mode.mode === "paused") return
  throw new Fault(
    "already-serving",
    "An agent serves from here: its shards and the figures would spoil each other.",
    {
      hint: "Pause it (`zg-agent pause`), measure, and let it go on (`zg-agent resume`).",
    },
  )
}
