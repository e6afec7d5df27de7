import { existsSync } from "node:fs"
import { loadIdentity } from "../../store/identity.ts"
import { openJournal, type Totals } from "../shard/journal.ts"
import { askControl } from "./control.ts"
import type { Home } from "./home.ts"
import { readPause } from "./mode.ts"
import { requireSettings } from "./settings.ts"
import type { AgentStatus } from "./status.ts"

export interface AgentReport extends Totals {
  name: string
  agent: string
  market: string
  /** What it says of itself; null when it does not serve. */
  serving: AgentStatus | null
  /** Since when the owner has it paused, RFC 3339; null when it is not. It holds for the next start, too. */
  pausedSince: string | null
  /** The latest shards that were given up, newest first. */
  lately: { at: string; job: string; label: string; code: string; message: string }[]
}

const HISTORY_ROWS = 100
const LATELY = 3

/** What there is to say about this home, whether its agent serves or not. @throws Fault `not-registered`, `agent-silent`. */
export async function reportAgent(home: Home): Promise<AgentReport> {
  const { name, market } = requireSettings(home)
  const { keyId } = await loadIdentity(home.identity)
  const serving = (await askControl(home)) as AgentStatus | null
  const mode = serving?.mode ?? (await readPause(home))
  const pausedSince = mode.mode === "paused" ? mode.since : null
  return { name, agent: keyId, market: market.url, serving, pausedSince, ...readJournal(home) }
}

function readJournal(home: Home): Totals & Pick<AgentReport, "lately"> {
  if (!existsSync(home.journal)) return { settled: 0, abandoned: 0, earned: 0, lately: [] }
  const journal = openJournal(home.journal)
  try {
    const abandoned = journal.history(HISTORY_ROWS).flatMap(({ at, state }) => {
      if (state.step !== "abandoned") return []
      const { job, shard } = state.assignment
      return [{ at, job, label: shard.label, code: state.code, message: state.message }]
    })
    return { ...journal.totals(), lately: abandoned.slice(0, LATELY) }
  } finally {
    journal.close()
  }
}
