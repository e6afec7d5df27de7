import { isFault } from "../../../protocol/fault.ts"
import { failed, ok, skipped } from "../check.ts"
import type { Inspection } from "../inspection.ts"
import { engineSaid } from "../said.ts"

export const containerStart: Inspection = {
  id: "container-start",
  title: "Container starts",
  async look(site) {
    const engine = await site.engine().catch(() => null)
    if (engine === null) return skipped("needs the container engine")
    if ((await site.home().catch(() => null)) === null) return skipped("needs the state folder")
    try {
      const { report, ms } = await site.sandbox()
      return ok(`yes, in the sandbox, in ${ms} ms; inside runs ${report.kernel}`)
    } catch (error) {
      if (!isFault(error)) throw error
      const said = engineSaid(error)
      return failed([error.message, said].filter(Boolean).join("\n"), { remedy: error.hint })
    }
  },
}
