import { isFault } from "../../protocol/fault.ts"
import { type Check, type CheckId, type Finding, failed } from "./check.ts"
import { INSPECTIONS } from "./checks/all.ts"
import type { Inspection } from "./inspection.ts"
import { type Caller, openSite, type Site, type SiteOptions } from "./site.ts"

/** Long enough for an engine that hangs to be found out. */
const LOOK_LIMIT_MS = 40_000
/** No check may hold the pass up for longer, whatever it says of itself. */
const PASS_LIMIT_MS = 58_000

/** Every check in one pass. */
export interface Diagnosis {
  /** Whether none failed; warnings do not count. */
  ok: boolean
  checks: Check[]
}

export interface ExamineOptions extends SiteOptions {
  /** Called whenever a check is over. */
  onCheck?: (over: number, of: number) => void
}

/** Makes every check, all at once; ends within a minute. Throws only the signal's reason when it is aborted. */
export function examine(options: ExamineOptions, signal: AbortSignal): Promise<Diagnosis> {
  return pass(INSPECTIONS, options, signal)
}

/** Makes the checks that were not fine again, and leaves the others as they were. */
export async function examineAgain(
  before: Diagnosis,
  options: ExamineOptions,
  signal: AbortSignal,
): Promise<Diagnosis> {
  const open = new Set<CheckId>(before.checks.filter(({ state }) => state !== "ok").map(({ id }) => id))
  const again = await pass(
    INSPECTIONS.filter(({ id }) => open.has(id)),
    options,
    signal,
  )
  const now = new Map(again.checks.map(check => [check.id, check]))
  return concluded(before.checks.map(check => now.get(check.id) ?? check))
}

async function pass(
  inspections: readonly Inspection[],
  { onCheck, ...place }: ExamineOptions,
  signal: AbortSignal,
): Promise<Diagnosis> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const site = openSite(place, either)
  let count = 0
  try {
    const looks = inspections.map(async inspection => {
      const check = await look(inspection, site, either)
      count += 1
      onCheck?.(count, inspections.length)
      return check
    })
    return concluded(await Promise.all(looks))
  } finally {
    // What answers too late has no listener any more.
    over.abort()
  }
}

function concluded(checks: Check[]): Diagnosis {
  return { ok: checks.every(({ state }) => state !== "failed"), checks }
}

/** @throws only the signal's reason: whatever goes wrong in a check is that check's finding. */
export async function look(
  { id, title, look: see, limitMs = LOOK_LIMIT_MS }: Inspection,
  site: Site,
  signal: AbortSignal,
): Promise<Check> {
  const limit = AbortSignal.timeout(Math.min(limitMs, PASS_LIMIT_MS))
  const either = AbortSignal.any([signal, limit])
  try {
    const finding = await Promise.race([see(site, either), untilAborted(either)])
    return { id, title, ...forCaller(finding, site.caller) }
  } catch (error) {
    signal.throwIfAborted()
    return { id, title, ...forCaller(trouble(error, limit.aborted ? limitMs : null), site.caller) }
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  if (signal.aborted) reject(signal.reason)
  return promise
}

/** Root needs no sudo, and may have none; who came by sudo goes back to being somebody else. */
function forCaller(finding: Finding, { isRoot, sudoUser }: Caller): Finding {
  if (!isRoot || sudoUser !== null || finding.command === null) return finding
  return { ...finding, command: finding.command.replace(/\bsudo /g, "") }
}

/** @param limitMs the limit that has passed; null while there was time. */
export function trouble(error: unknown, limitMs: number | null): Finding {
  if (isFault(error)) return failed(error.message, { remedy: error.hint })
  if (limitMs !== null) {
    return failed(`There was no answer within ${limitMs / 1000} s.`, {
      remedy: "Something hangs; run `zg-agent doctor` again when the machine is quiet.",
    })
  }
  return failed(`The check broke: ${error instanceof Error ? error.message : String(error)}`, {
    remedy: "This is a bug in zg-agent; please report it with the output of `zg-agent doctor --json`.",
  })
}
