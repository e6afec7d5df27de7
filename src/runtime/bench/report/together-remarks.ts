import type { CardReport } from "../../../protocol/capacity-report.ts"
import { dropsOf } from "../gpu/drop.ts"

/** A card that loses more than this when the others work too lacks power or air; copies over the bus share it, and may lose more. */
const LOST_SHARE = 0.1

/** What a card loses of its computing and its memory when all cards are at work at once, with what to look at. */
export function togetherRemarks({ figures, together }: Pick<CardReport, "figures" | "together">): string[] {
  const own = dropsOf(figures, together).filter(({ name, lost }) => lost > LOST_SHARE && !isCopy(name))
  if (own.length === 0) return []
  const lost = own.map(({ name, lost: share }) => `${name} by ${Math.round(share * 100)} %`)
  return [
    `Slower with all cards at work: ${lost.join(", ")}. Look at the power supply, its cables, and the air between the cards.`,
  ]
}

function isCopy(name: string): boolean {
  return name === "host-to-device" || name === "device-to-host"
}
