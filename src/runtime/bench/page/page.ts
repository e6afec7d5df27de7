import type { CapacityReport } from "../../../protocol/capacity-report.ts"
import type { SignedReport } from "../report/history.ts"
import { attention, noticesOf } from "./attention.ts"
import { cardSection } from "./card.ts"
import { openDrawing } from "./draw.ts"
import { head } from "./head.ts"
import { html, Markup } from "./html.ts"
import { hostSection, softwareSection, workSection } from "./machine.ts"
import { overview } from "./overview.ts"
import { STYLE } from "./style.ts"
import { sandboxSection, signatureSection } from "./trust.ts"

/** No script, and nothing from elsewhere, whatever somebody manages to write into a report. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/**
 * A report as one HTML page that stands by itself: offline, printed, or attached to a letter.
 * @param previous the last run before, with which figures are compared.
 */
export async function reportPage(made: SignedReport, previous: CapacityReport | null): Promise<string> {
  const { report } = made
  const draw = await openDrawing()
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Capacity report, ${report.startedOn.slice(0, 10)}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
${head(report)}<main>
${attention(noticesOf(report, previous))}${overview(report.cards, draw)}${report.cards.map((card, at) =>
  cardSection(card, at, previous, draw),
)}${hostSection(report, previous, draw)}${workSection(report, previous)}${softwareSection(report, previous)}${sandboxSection(report)}${signatureSection(made)}</main>
</body>
</html>
`
  return page.text
}
