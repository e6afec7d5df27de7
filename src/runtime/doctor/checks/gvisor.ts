import { ok, skipped } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const gvisor: Inspection = {
  id: "gvisor",
  title: "gVisor",
  async look(site) {
    const info = await site.engineInfo().catch(() => null)
    if (info === null) return skipped("needs the container engine")
    const { facts } = await site.engine()
    if (facts.isolation === "gvisor") return ok(`shards run behind it: ${facts.runtime} of ${facts.name}`)
    const runtimes = info.runtimes.filter(name => name.startsWith("runsc"))
    if (runtimes.length > 0) return ok(`a runtime of the engine: ${runtimes.join(", ")}`)
    return skipped(
      "not installed; shards run with a kernel of their own only where it is",
      "It is optional: https://gvisor.dev/docs/user_guide/install/, then `sudo runsc install`.",
    )
  },
}
