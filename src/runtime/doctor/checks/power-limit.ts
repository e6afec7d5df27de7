import type { DetectedGpu } from "../../host/gpu.ts"
import { type Finding, ok, skipped } from "../check.ts"
import type { Inspection } from "../inspection.ts"

export const powerLimit: Inspection = {
  id: "power-limit",
  title: "Power limit",
  limitMs: 50_000,
  look: async site => judgePower((await site.detection()).gpus),
}

type Card = Pick<DetectedGpu, "index" | "name" | "vendor" | "powerLimitW" | "offerable">

/** A fact for the owner's fuse and bill; a limit that they have set is as good as any. */
export function judgePower(gpus: readonly Card[]): Finding {
  const cards = gpus.filter(({ offerable }) => offerable)
  if (cards.length === 0) return skipped("no GPU here can run shards")
  const limited = cards.filter(({ powerLimitW }) => powerLimitW !== null)
  if (limited.length === 0) return skipped("no card reports its limit")
  const total = limited.reduce((sum, { powerLimitW }) => sum + (powerLimitW ?? 0), 0)
  const each = [...Map.groupBy(cards, ({ powerLimitW }) => powerLimitW)].map(([limit, alike]) => {
    const which = `GPU ${alike.map(({ index }) => index).join(", ")}`
    return limit === null ? `${which}: not reported` : `${which}: ${Math.round(limit)} W`
  })
  const sum = limited.length > 1 ? `; ${Math.round(total)} W together` : ""
  return ok(`${each.join("; ")}${sum}`)
}
