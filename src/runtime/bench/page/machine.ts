import type { CapacityReport } from "../../../protocol/capacity-report.ts"
import { hostPart, isFilled, softwareParts, workPart } from "../report/parts.ts"
import { adapterOf } from "./card.ts"
import type { Draw } from "./draw.ts"
import { figuresTable, unmeasuredList } from "./figures.ts"
import { factsLine } from "./head.ts"
import { html, type Markup } from "./html.ts"
import { rooflineChart } from "./roofline.ts"
import { hostRoofline } from "./rooflines.ts"

/** What belongs to no card; nothing of what was left out. */
export function hostSection(report: CapacityReport, previous: CapacityReport | null, draw: Draw): Markup {
  const part = hostPart(report, previous)
  if (!isFilled(part)) return html``
  const roofline = hostRoofline(report.host)
  const figure =
    roofline &&
    html`<figure>${draw(rooflineChart(roofline))}
<figcaption>Roofline of the processor by WebAssembly, whose vectors have 128 bits: a native library computes two to four times as fast.</figcaption></figure>
`
  return html`<section id="host" aria-labelledby="host-title">
<h2 id="host-title">Host</h2>
<div class="${figure === null ? "" : "beside"}">
<div>${figuresTable(part, "Processor, memory, disk and network")}${unmeasuredList(part.unmeasured)}</div>
${figure}</div>
</section>
`
}

export function workSection(report: CapacityReport, previous: CapacityReport | null): Markup {
  const part = workPart(report, previous)
  if (part === null || report.work === null) return html``
  const { device, engine, isolation } = report.work
  return html`<section id="work" aria-labelledby="work-title">
<h2 id="work-title">Trainer in the sandbox</h2>
${factsLine([device, engine, isolation].filter(fact => fact !== null))}${figuresTable(part, "The reference trainer in the sandbox that shards get")}${unmeasuredList(part.unmeasured)}</section>
`
}

export function softwareSection(report: CapacityReport, previous: CapacityReport | null): Markup {
  const parts = softwareParts(report, previous)
  if (parts.length === 0) return html``
  return html`<section id="software" aria-labelledby="software-title">
<h2 id="software-title">Software in place of a card</h2>
${parts.map((part, at) => {
  const adapter = report.software[at]?.adapter
  return html`<p>No card: it computes on the processor, shows that measuring works here, and is nothing to be sold (${adapter === undefined ? "" : adapterOf(adapter)}).</p>
${figuresTable(part, "Figures of the software")}${unmeasuredList(part.unmeasured)}`
})}</section>
`
}
