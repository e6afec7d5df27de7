import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import { GRACE_MS } from "../shard/grace.ts"
import type { Agent } from "./agent.ts"
import { Notifier, type Said, type Supervision } from "./notification.ts"
import { statusLine } from "./status.ts"
import { fieldsOf } from "./work.ts"

/** How often the status is looked at where no sign of life is wanted. */
const STATUS_PAUSE_MS = 30_000
/** A handshake and the longest pause before it, several times over. */
const DIAL_LIMIT_MS = 5 * 60_000
/** For the engine to remove the containers after their grace. */
const REMOVAL_MS = 90_000

type Watched = Pick<Agent, "status" | "stuck" | "dialledAt">

/**
 * Tells a supervisor that the agent serves, a status line when it changes, and signs of life at half of the time it waits for one, until
 * the signal aborts; then, that it is stopping and how long that may take. There is a sign of life only while this loop turns and no
 * shard's walk is stuck: without one, systemd starts the agent again, and the journal tells where it was.
 */
export async function supervise(
  supervision: Supervision,
  agent: Watched,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const notifier = new Notifier(supervision, log)
  const { watchdogMs } = supervision
  const pauseMs = watchdogMs === null ? STATUS_PAUSE_MS : watchdogMs / 2
  let told = statusLine(agent.status())
  await notifier.say({ READY: "1", STATUS: told })
  while (!signal.aborted) {
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) break
    const line = statusLine(agent.status())
    const said: Said = line === told ? {} : { STATUS: line }
    told = line
    if (watchdogMs !== null && isAlive(agent, log)) said.WATCHDOG = "1"
    if (Object.keys(said).length > 0) await notifier.say(said)
  }
  const extendUsec = (GRACE_MS + REMOVAL_MS) * 1000
  await notifier.say({ STOPPING: "1", EXTEND_TIMEOUT_USEC: `${extendUsec}`, STATUS: "Suspending what runs" })
}

function isAlive(agent: Watched, log: Logger): boolean {
  if (performance.now() - agent.dialledAt > DIAL_LIMIT_MS) {
    log.error({ sinceMs: Math.round(performance.now() - agent.dialledAt) }, "market.stuck")
    return false
  }
  const stuck = agent.stuck()
  for (const { state } of stuck) log.error({ ...fieldsOf(state), at: state.step }, "shard.stuck")
  return stuck.length === 0
}
