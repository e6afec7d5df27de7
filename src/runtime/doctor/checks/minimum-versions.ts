import { ok, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const minimumVersions: Inspection = {
  id: "minimum-versions",
  title: "Known escapes",
  async look(site) {
    const { table, from, damage } = await site.minimumVersions()
    const fact = `${table.escapes.length} known, as of ${table.updated}${from === null ? "" : ` (${from})`}`
    if (damage === null) return ok(fact)
    return warning(`minimum-versions.json in the state folder cannot be used: ${damage}`, {
      remedy: "Mend the file or remove it; until then the built-in table counts.",
    })
  },
}
