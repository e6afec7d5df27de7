import { cp, mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { shellLayer } from "../engine/image.ts"
import type { Run } from "./cells.ts"
import type { Violation } from "./facts.ts"
import { Lane } from "./lane.ts"
import type { Outcome } from "./outcome.ts"
import { runOnce } from "./run.ts"
import { leftWhenStopped } from "./tidiness.ts"

export interface MatrixOptions {
  runs: readonly Run[]
  /** How many worlds at once. */
  lanes: number
  /** Folder for the logs of runs that broke a rule. */
  kept: string
  onOutcome: (outcome: Outcome, done: number) => void
  /** Aborted, it starts no more runs; those under way come to their end. */
  signal: AbortSignal
}

export interface MatrixResult {
  outcomes: Outcome[]
  /** What the agents left behind when they were stopped after the last run. */
  left: Violation[]
}

/** Does all runs, several at once, each lane one after the other. A lane in which a rule was broken is given up for a new one. */
export async function runMatrix(options: MatrixOptions): Promise<MatrixResult> {
  const layer = await shellLayer()
  const waiting = [...options.runs]
  const result: MatrixResult = { outcomes: [], left: [] }
  const workers = Array.from({ length: options.lanes }, (_, number) =>
    work(options, { waiting, result, open: () => Lane.open(layer, number) }),
  )
  // All lanes are closed before a harness that broke is told of.
  for (const worker of await Promise.allSettled(workers))
    if (worker.status === "rejected") throw worker.reason
  return result
}

interface Shared {
  waiting: Run[]
  result: MatrixResult
  open: () => Promise<Lane>
}

async function work({ kept, onOutcome, signal }: MatrixOptions, { waiting, result, open }: Shared) {
  let lane: Lane | null = null
  try {
    for (let run = waiting.shift(); run !== undefined && !signal.aborted; run = waiting.shift()) {
      lane ??= await open()
      await lane.equip({ clocks: run.fault.clocks ?? false, card: run.fault.card ?? false })
      const outcome = await runOnce(lane, run)
      onOutcome(outcome, result.outcomes.push(outcome))
      if (outcome.violations.length === 0) continue
      await keep(lane, outcome, kept)
      await lane.close()
      lane = null
    }
    if (lane !== null) result.left.push(...(await leftWhenStopped(lane)))
  } finally {
    await lane?.close()
  }
}

/** What a reader needs to find out what happened: the run's events, all logs, and both ends' databases. */
async function keep({ place, timeline }: Lane, outcome: Outcome, kept: string): Promise<void> {
  const folder = join(kept, `${outcome.fault}-${outcome.moment}-${outcome.seed}`)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, "outcome.json"), JSON.stringify(outcome, null, 2))
  const events = timeline.all().map(told => JSON.stringify(told))
  await writeFile(join(folder, "events.jsonl"), `${events.join("\n")}\n`)
  const journal = join(place.home("agent"), "journal.sqlite")
  const market = join(place.home("market"), "market/market.sqlite")
  const databases = [journal, market].flatMap(path => [path, `${path}-wal`, `${path}-shm`])
  const logs = ["agent", "market", "engine"].map(name => place.log(name))
  for (const path of [...logs, ...databases])
    await cp(path, join(folder, path.split("/").at(-1) ?? "")).catch(() => {})
}
