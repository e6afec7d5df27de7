import { z } from "zod"
import { ATTEMPTS, type Attempt, type AttemptName, type Setting } from "./attempts.ts"
import { gpuNodes } from "./gpu-nodes.ts"
import { dishonoured, type Expected, unseen, type Violation } from "./honoured.ts"
import { ProbeReport } from "./report.ts"

/** What `probe jail` prints. */
export const JailSaid = z.strictObject({
  report: ProbeReport,
  attempts: z.array(
    z.strictObject({
      name: z.string(),
      /** `unknown`: it could not be made. */
      outcome: z.enum(["blocked", "open", "unknown"]),
      how: z.string(),
    }),
  ),
})
export type JailSaid = z.infer<typeof JailSaid>

/** How one attempt ended. */
export interface Tried {
  name: string
  /** `tolerated`: open, and no hole for the reason that `how` gives; `unknown`: it could not be made, which proves nothing. */
  outcome: "blocked" | "open" | "tolerated" | "unknown"
  how: string
}

export interface JailVerdict {
  /** Every attempt is blocked or tolerated, and every flag that can be seen is in force. */
  passed: boolean
  attempts: Tried[]
  violations: Violation[]
  /** Flags that do not show inside. */
  unseen: string[]
}

export interface Trial {
  said: JailSaid
  expected: Expected
  setting: Setting
  /** What the probe was told, as `name=value`. */
  targets: readonly string[]
  /** Connections that reached this machine. */
  arrivals: number
}

/** What the attempts come to. An attempt of which nothing was said is as bad as one that got through. */
export function judgeJail(trial: Trial): JailVerdict {
  const { said, expected } = trial
  const attempts = Object.keys(ATTEMPTS).flatMap(name => judgeAttempt(name as AttemptName, trial))
  attempts.push(otherGpus(said.report, expected), arrived(trial.arrivals))
  for (const { name } of said.attempts)
    if (!(name in ATTEMPTS)) attempts.push({ name, outcome: "unknown", how: "this version does not know it" })
  const violations = dishonoured(said.report, expected)
  const held = attempts.every(({ outcome }) => outcome === "blocked" || outcome === "tolerated")
  const passed = held && violations.length === 0
  return { passed, attempts, violations, unseen: unseen(said.report, expected) }
}

function judgeAttempt(name: AttemptName, { said, setting, targets }: Trial): Tried[] {
  const { needs, tolerated }: Attempt = ATTEMPTS[name]
  // Not every machine has what it takes, such as an address in a network.
  if (needs !== undefined && !targets.some(target => target.startsWith(`${needs}=`))) return []
  const found = said.attempts.filter(attempt => attempt.name === name)
  const [only] = found
  if (only === undefined || found.length > 1)
    return [{ name, outcome: "unknown", how: "the probe did not tell of it once" }]
  const reason = only.outcome === "open" ? (tolerated?.(setting, only.how) ?? null) : null
  return [reason === null ? only : { name, outcome: "tolerated", how: `${only.how}. ${reason}` }]
}

/** A card that is missing is no hole; one too many is. */
function otherGpus(report: ProbeReport, { placement }: Expected): Tried {
  const { foreign } = gpuNodes(report, placement.gpu)
  return foreign.length === 0
    ? { name: "other-gpus", outcome: "blocked", how: "no node of a card that was not given" }
    : { name: "other-gpus", outcome: "open", how: `${foreign.join(", ")} is there` }
}

/** The machine's own word, whatever the probe says. */
function arrived(arrivals: number): Tried {
  return arrivals === 0
    ? { name: "arrivals", outcome: "blocked", how: "nothing arrived at this machine's own sockets" }
    : {
        name: "arrivals",
        outcome: "open",
        how: `${arrivals} connections arrived at this machine's own sockets`,
      }
}
