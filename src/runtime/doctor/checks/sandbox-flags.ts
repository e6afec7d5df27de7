import type { Violation } from "../../probe/honoured.ts"
import { type Finding, failed, ok, skipped } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const sandboxFlags: Inspection = {
  id: "sandbox-flags",
  title: "Sandbox holds",
  async look(site) {
    const sandbox = await site.sandbox().catch(() => null)
    return sandbox === null
      ? skipped("needs a container that starts")
      : judgeFlags(sandbox.violations, sandbox.unseen)
  },
}

/** A wall that was asked for and is not there is worse than none: shards must not run behind it. */
export function judgeFlags(violations: readonly Violation[], unseen: readonly string[]): Finding {
  const unproven = unseen.length === 0 ? "" : `; not to be seen from inside: ${unseen.join(", ")}`
  if (violations.length === 0) return ok(`every flag that shows inside is in force${unproven}`)
  const lines = violations.map(
    ({ flag, wanted, seen }) => `${flag} is not in force: ${seen} instead of ${wanted}`,
  )
  return failed(lines.join("\n"), {
    remedy: "The engine took the flags and does not keep them: update it, and look at what the kernel lacks.",
    command: "docker info --format '{{range .Warnings}}{{println .}}{{end}}'",
  })
}
