import type { CardReport } from "../../../protocol/capacity-report.ts"
import type { KnownBy } from "./peak.ts"
import { cardPeakOf, INCREDIBLE_SHARE } from "./share.ts"

/** What is to be said of a measured card's shares once: whose peak it is, or why none is known, and what cannot be. */
export function peakRemarks(card: CardReport): string[] {
  if (card.figures.length === 0) return []
  const { peak, shares } = cardPeakOf(card)
  if (peak === null) return [`of peak: unknown, as ${whyUnknown(card)}`]
  const incredible = Object.entries(shares).filter(([, share]) => share > INCREDIBLE_SHARE)
  return [
    `of peak: of ${peak.card} (${peak.source})`,
    ...incredible.map(
      ([name, share]) =>
        `${name} cannot be ${percent(share)} of the peak: the card is not what its PCI id says, or the figure is wrong.`,
    ),
  ]
}

/** `0.714` → `71 %`. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function whyUnknown({ pciId, pciRevision, vramMiB }: KnownBy): string {
  if (pciId === null) return "this machine does not tell the card's PCI id"
  const revision = pciRevision === null ? "" : `, revision ${pciRevision}`
  const memory = vramMiB === null ? "" : `, with ${vramMiB} MiB`
  return `the table of cards has none that is certainly ${pciId}${revision}${memory}`
}
