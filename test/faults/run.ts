import { setTimeout as sleep } from "node:timers/promises"
import type { Submitted } from "./buyer.ts"
import type { Run } from "./cells.ts"
import { type Chance, chanceOf } from "./chance.ts"
import { check } from "./check.ts"
import type { Facts, Violation } from "./facts.ts"
import type { Lane } from "./lane.ts"
import { isOver, look } from "./look.ts"
import { movesOn, tells } from "./moments.ts"
import type { Outcome } from "./outcome.ts"
import { tidiness } from "./tidiness.ts"

const LATEST_STRIKE_MS = 400
/** A receipt is under way for so long where a run strikes at that moment. */
const RECEIPT_LAG_MS = 120
const MOMENT_LIMIT_MS = 90_000
/** The longest way: a lease that nobody knows of runs out after a minute, and then the shard is run again. */
const OVER_LIMIT_MS = 180_000
const POLL_MS = 100

type Course = Pick<Outcome, "job" | "struck" | "settled" | "abandoned" | "violations" | "recoveryMs">

/** Hands a job in, strikes when its shard has come to the moment, waits until all is over, and looks at what is left. */
export async function runOnce(lane: Lane, run: Run): Promise<Outcome> {
  const startedAt = Date.now()
  const course: Course = {
    job: null,
    struck: false,
    settled: 0,
    abandoned: [],
    violations: [],
    recoveryMs: null,
  }
  lane.timeline.clear()
  takeEnds(lane)
  try {
    await follow(lane, run, course)
  } catch (error) {
    course.violations.push({ rule: "stuck", detail: String(error) })
  } finally {
    lane.network.heal()
  }
  const { fault, moment, seed } = run
  const [ends, tookMs] = [takeEnds(lane), Date.now() - startedAt]
  return { fault: fault.name, moment, seed, ...course, ends, tookMs }
}

/** Writes down what happens as it happens: a run that gets stuck tells how far it came. */
async function follow(lane: Lane, { fault, moment, seed }: Run, course: Course): Promise<void> {
  const chance = chanceOf(seed, fault.name, moment)
  if (moment === "settling") lane.network.delay(() => RECEIPT_LAG_MS)
  const work = await lane.submit()
  course.job = work.job
  await lane.timeline.until(tells(moment, work.job), { signal: AbortSignal.timeout(MOMENT_LIMIT_MS) })
  await sleep(strikeAfterMs(chance))
  course.struck = await fault.strike(lane, chance)
  const struckUntil = Date.now()
  const recovered = over(lane, work.job) ? null : recovery(lane, work.job, struckUntil)
  const isLate = !(await untilOver(lane, work.job))
  course.recoveryMs = await recovered
  Object.assign(course, await judged(lane, work, isLate))
}

async function judged(lane: Lane, work: Submitted, isLate: boolean) {
  const facts = await look(lane, work)
  const late: Violation[] = isLate
    ? [{ rule: "not-over", detail: `not after ${OVER_LIMIT_MS / 1000} s` }]
    : []
  const left = isLate ? [] : await tidiness(lane)
  return { violations: [...late, ...check(facts), ...left], ...countsOf(facts) }
}

/** Half of the strikes come within the first quarter of the time, where a step has only just begun. */
function strikeAfterMs(chance: Chance): number {
  return Math.floor(chance("strike") ** 2 * LATEST_STRIKE_MS)
}

/** Milliseconds to the next sign of life; null when none came. */
async function recovery(lane: Lane, job: string, since: number): Promise<number | null> {
  const options = { since, signal: AbortSignal.timeout(OVER_LIMIT_MS) }
  const told = await lane.timeline.until(movesOn(job), options).catch(() => null)
  return told && told.at - since
}

async function untilOver(lane: Lane, job: string): Promise<boolean> {
  const until = Date.now() + OVER_LIMIT_MS
  while (!over(lane, job)) {
    if (Date.now() > until) return false
    await sleep(POLL_MS)
  }
  return true
}

/** A database that is being opened or whose disk is full answers later. */
function over({ place }: Lane, job: string): boolean {
  try {
    return isOver(place, job)
  } catch {
    return false
  }
}

function countsOf({ market, agent }: Facts): Pick<Course, "settled" | "abandoned"> {
  return {
    settled: market.shards.filter(({ state }) => state === "settled").length,
    abandoned: agent.journal.filter(({ step }) => step === "abandoned").map(({ code }) => `${code}`),
  }
}

function takeEnds({ agent, market, daemon }: Lane): string[] {
  return [agent, market, daemon.process].flatMap(program => program.takeEnds())
}
