import { existsSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { Fault } from "../../protocol/fault.ts"
import { openJournal } from "../shard/journal.ts"
import type { OpenState } from "../shard/state.ts"
import { askControl } from "./control.ts"
import type { Home } from "./home.ts"
import type { AgentStatus } from "./status.ts"

const LOOK_PAUSE_MS = 500

/**
 * Waits for as long as the signal allows until a draining agent has ended; tells how many shards it has left to their audits.
 * @param pid of that agent: a supervisor may have started the next one at once.
 * @throws Fault `drain-unfinished` when it takes work again, or ended otherwise with shards on the road.
 */
export async function untilDrained(home: Home, pid: number, signal: AbortSignal): Promise<number> {
  for (;;) {
    const status = (await askControl(home)) as AgentStatus | null
    if (status?.pid !== pid) break
    if (status.mode.mode !== "draining") throw unfinished(`it is ${status.mode.mode} again`)
    await sleep(LOOK_PAUSE_MS, undefined, { signal })
  }
  const left = shardsLeft(home)
  const committed = left.filter(({ step }) => step === "committed").length
  if (left.length > committed) throw unfinished(`the agent ended with ${left.length - committed} on the road`)
  return committed
}

function shardsLeft(home: Home): OpenState[] {
  if (!existsSync(home.journal)) return []
  const journal = openJournal(home.journal)
  try {
    return journal.open()
  } finally {
    journal.close()
  }
}

function unfinished(why: string): Fault {
  return new Fault("drain-unfinished", `The drain did not come to its end: ${why}.`, {
    hint: "`zg-agent status` says what the agent does now; start it if it has ended, and drain it again.",
  })
}
