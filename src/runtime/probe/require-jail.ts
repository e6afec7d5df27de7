import { Fault } from "../../protocol/fault.ts"
import type { JailReport } from "./jail.ts"
import type { Tried } from "./judge-jail.ts"

/**
 * Refuses a sandbox that a hostile container got out of, or of which it could not be told.
 * @param bombs what bombs did, where some were run.
 * @throws Fault `jail-broken`.
 */
export function requireJail(report: JailReport, bombs: readonly Tried[] = []): void {
  const through = [...report.attempts, ...bombs].filter(
    ({ outcome }) => outcome === "open" || outcome === "unknown",
  )
  const [first] = through
  const [flag] = report.violations
  if (report.passed && first === undefined) return
  const told = [...through.map(({ name }) => name), ...report.violations.map(violation => violation.flag)]
  const example =
    first !== undefined
      ? `${first.name}: ${first.how}`
      : flag === undefined
        ? "nothing was tried"
        : `${flag.flag} is ${flag.seen} instead of ${flag.wanted}`
  throw new Fault("jail-broken", `A hostile container is not held here (${example}).`, {
    hint:
      "Run `zg-agent sandbox test` to see all of it and `zg-agent doctor` for known holes. Update the engine and its runtime, and take " +
      "back what loosens them (daemon.json, seccomp=unconfined); then try again.",
    facts: { through: told.join(" "), engine: report.engine.version, runtime: report.runtime },
  })
}
