import { existsSync } from "node:fs"
import { loadIdentity } from "../../store/identity.ts"
import { openJournal, type Totals } from "../shard/journal.ts"
import type { AgentStatus } from "./agent.ts"
import { askControl } from "./control.ts"
import type { Home } from "./home.ts"
import { requireSettings } from "./settings.ts"

export interface AgentReport extends Totals {
  name: string
  agent: string
  market: string
  /** What it says of itself; null when it does not serve. */
  serving: AgentStatus | null
}

/** What there is to say about this home, whether its agent serves or not. @throws Fault `not-registered`, `agent-silent`. */
export async function reportAgent(home: Home): Promise<AgentReport> {
  const { name, market } = requireSettings(home)
  const { keyId } = await loadIdentity(home.identity)
  const serving = (await askControl(home)) as AgentStatus | null
  const { settled, abandoned, earned } = serving ?? totalsOf(home)
  return { name, agent: keyId, market: market.url, serving, settled, abandoned, earned }
}

function totalsOf(home: Home): Totals {
  if (!existsSync(home.journal)) return { settled: 0, abandoned: 0, earned: 0 }
  const journal = openJournal(home.journal)
  try {
    return journal.totals()
  } finally {
    journal.close()
  }
}
