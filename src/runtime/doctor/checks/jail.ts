import { isFault } from "../../../protocol/fault.ts"
import type { JailReport } from "../../probe/jail.ts"
import { type Finding, failed, ok, skipped } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const jailTest: Inspection = {
  id: "jail",
  title: "Hostile container",
  async look(site) {
    if ((await site.sandbox().catch(() => null)) === null) return skipped("needs a container that starts")
    try {
      return judgeJailReport(await site.jail())
    } catch (error) {
      if (!isFault(error)) throw error
      return failed(error.message, { remedy: error.hint })
    }
  },
}

/** What a hostile container got, as `serve` judges it before it takes work. */
export function judgeJailReport({ attempts, violations, passed }: JailReport): Finding {
  const through = attempts.filter(({ outcome }) => outcome === "open" || outcome === "unknown")
  if (passed) return ok(`held: ${attempts.length} ways out were tried, and none leads anywhere`)
  const lines = [
    ...through.map(({ name, how }) => `${name}: ${how}`),
    ...violations.map(({ flag }) => `${flag} is not in force`),
  ]
  return failed(`It is not held, and \`serve\` refuses to serve:\n${lines.join("\n")}`, {
    remedy:
      "Update the engine and its runtime, and take back what loosens them (daemon.json, containers.conf); all of it:",
    command: "zg-agent sandbox test",
  })
}
