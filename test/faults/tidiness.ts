import { setTimeout as sleep } from "node:timers/promises"
import type { Violation } from "./facts.ts"
import type { Lane } from "./lane.ts"
import { leftoversOf } from "./leftovers.ts"

const ENGINE_LIMIT_MS = 60_000
const TIDY_LIMIT_MS = 5000
const POLL_MS = 100

/**
 * Nothing of the shard may be left. What the agent has not removed while it serves must be gone when it is asked to end; then it is started
 * again, and what is left even after its sweep is told as such.
 */
export async function tidiness(lane: Lane): Promise<Violation[]> {
  await lane.daemon.ready(AbortSignal.timeout(ENGINE_LIMIT_MS))
  const until = Date.now() + TIDY_LIMIT_MS
  while ((await leftoversOf(lane)).length > 0) {
    if (Date.now() > until) return stopAndLook(lane)
    await sleep(POLL_MS)
  }
  return []
}

async function stopAndLook(lane: Lane): Promise<Violation[]> {
  const found = await leftWhenStopped(lane)
  await lane.startAgent()
  const stays = new Set(await leftoversOf(lane))
  return found.map(({ rule, detail }) =>
    rule === "left"
      ? { rule: stays.has(detail) ? "left-for-ever" : "left-until-next-start", detail }
      : { rule, detail },
  )
}

/** Asks the agent to end, and tells what it leaves behind. */
export async function leftWhenStopped(lane: Lane): Promise<Violation[]> {
  const ended = await lane.agent.stop()
  const late: Violation[] = ended ? [] : [{ rule: "would-not-end", detail: "the agent had to be killed" }]
  return [...late, ...(await leftoversOf(lane)).map(detail => ({ rule: "left", detail }))]
}
