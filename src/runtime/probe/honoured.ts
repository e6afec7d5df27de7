import type { Isolation } from "../../protocol/proof.ts"
import type { Placement } from "../container/sandbox.ts"
import { CHECKS, type FlagCheck } from "./flag-checks.ts"
import type { ProbeReport } from "./report.ts"

/** What the sandbox asked for, and on which kind of isolation. */
export interface Expected {
  placement: Placement
  isolation: Isolation
}

/** A flag of the sandbox that is not in force inside. */
export interface Violation {
  /** As it stands in the engine's argv, such as `--read-only`. */
  flag: string
  wanted: string
  seen: string
}

/** Every flag that the report shows not to be in force; what it cannot show is in `unseen`. */
export function dishonoured(report: ProbeReport, expected: Expected): Violation[] {
  return judge(report, expected).flatMap(({ flag, wanted, seen, holds }) =>
    seen === null || holds ? [] : [{ flag, wanted, seen }],
  )
}

/** Flags about which the report knows nothing: no violation, and no proof that they hold. */
export function unseen(report: ProbeReport, expected: Expected): string[] {
  return judge(report, expected).flatMap(({ flag, seen }) => (seen === null ? [flag] : []))
}

function judge(report: ProbeReport, expected: Expected): FlagCheck[] {
  return CHECKS.flatMap(check => check(report, expected))
}
