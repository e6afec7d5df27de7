import type { Adapter, CapacityReport, CardReport } from "../../../protocol/capacity-report.ts"
import { peakRemarks } from "../peak/remarks.ts"
import { cardPart } from "../report/parts.ts"
import { sustainedRemarks } from "../report/sustained-remarks.ts"
import { togetherRemarks } from "../report/together-remarks.ts"
import type { Draw } from "./draw.ts"
import { figuresTable, unmeasuredList } from "./figures.ts"
import { factsLine, gibOf } from "./head.ts"
import { type Content, html, type Markup, prose } from "./html.ts"
import { rooflineChart } from "./roofline.ts"
import { cardRoofline } from "./rooflines.ts"
import { soundnessTable } from "./soundness.ts"
import { stateBadge } from "./state.ts"
import { thermalsChart } from "./thermals.ts"
import { GRAVE, shareHeld } from "./throttle.ts"

/** All that is known of one card. @param at its number. */
export function cardSection(
  card: CardReport,
  at: number,
  previous: CapacityReport | null,
  draw: Draw,
): Markup {
  const part = cardPart(card, previous)
  return html`<section class="card" id="card-${at}">
<div class="title"><h2>Card ${at}: ${card.name ?? "unknown"}</h2>${stateBadge(card.state)}</div>
${factsLine(factsOf(card))}${faults(card)}<div class="pair">
${rooflineFigure(card, draw)}${thermalsFigure(card, draw)}</div>
${figuresTable(part, "Figures: the median of all repeats")}${remarks(card)}${soundnessTable(card.soundness)}${unmeasuredList(card.unmeasured)}</section>
`
}

/** Whose peak the shares are of, or why there are none; how it stood its long run, and how the others at work. */
function remarks(card: CardReport): Content {
  return [...peakRemarks(card), ...sustainedRemarks(card.timeline), ...togetherRemarks(card)].map(
    remark => html`<p class="note">${remark}</p>\n`,
  )
}

function factsOf({ vramMiB, driver, adapter, pciAddress, identity }: CardReport): string[] {
  return [
    ...(vramMiB === null ? [] : [`${gibOf(vramMiB)} GiB of memory`]),
    ...(driver === null ? [] : [`driver ${driver}`]),
    adapter === null ? "no adapter is certainly this card" : adapterOf(adapter),
    ...(pciAddress === null ? [] : [`place ${pciAddress}`]),
    identity,
  ]
}

/** As an adapter describes itself. */
export function adapterOf({ vendor, architecture, device, description }: Adapter): string {
  const said = [architecture || vendor, description || device].filter(Boolean)
  return `adapter ${said.length === 0 ? "without a name" : said.join(", ")}`
}

function faults({ faults: all }: CardReport): Content {
  if (all.length === 0) return null
  const items = all.map(({ code, message, hint }) => {
    return html`<li><strong>${prose(message)}</strong> ${prose(hint)} <code class="aside">${code}</code></li>\n`
  })
  return html`<ul class="faults">
${items}</ul>
`
}

function rooflineFigure(card: CardReport, draw: Draw): Content {
  const roofline = cardRoofline(card)
  if (roofline === null) return null
  return html`<figure>${draw(rooflineChart(roofline))}
<figcaption>Roofline: the most that a program can reach here, by how much it computes with each byte that it moves.</figcaption></figure>
`
}

function thermalsFigure(card: CardReport, draw: Draw): Content {
  const chart = thermalsChart(card)
  if (chart === null) return null
  return html`<figure>${draw(chart)}
<figcaption>A long run of matrix products. ${heldOf(card)}</figcaption></figure>
`
}

function heldOf({ timeline }: CardReport): string {
  if (shareHeld(timeline, reason => GRAVE.has(reason)) > 0)
    return "Shaded: it was held back by more than its power limit and its voltage."
  const isTold = timeline.some(({ throttle }) => throttle !== null)
  return isTold
    ? "Nothing graver than its power limit held it back."
    : "The card does not tell what held it back."
}
