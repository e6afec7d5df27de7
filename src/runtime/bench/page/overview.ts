import type { CardReport } from "../../../protocol/capacity-report.ts"
import { amount } from "../report/amount.ts"
import { barsChart } from "./bars.ts"
import type { Draw } from "./draw.ts"
import { type Content, html, type Markup } from "./html.ts"
import { stateBadge } from "./state.ts"
import { type Column, table } from "./table.ts"
import { numbered, titleOf } from "./titles.ts"

/** Each card in a line, and each figure across all cards; nothing where there are less than two. */
export function overview(cards: readonly CardReport[], draw: Draw): Markup {
  if (cards.length < 2) return html``
  return html`<section aria-labelledby="cards">
<h2 id="cards">Cards</h2>
${linesTable(cards)}${charts(cards, draw)}</section>
`
}

/** What is wanted of a card first. */
const FIRST: readonly (Column & { figure: string })[] = [
  { figure: "matmul-fp32", head: "FP32", look: "num" },
  { figure: "matmul-subgroup-f16", head: "FP16 on matrix units", look: "num roomy" },
  { figure: "memory-triad", head: "Memory", look: "num roomy" },
]

function linesTable(cards: readonly CardReport[]): Markup {
  const rows = cards.map((card, at) => [
    html`<a href="#card-${at}">${numbered(card, at)}</a>`,
    stateBadge(card.state),
    ...FIRST.map(({ figure }) => saidOf(card, figure)),
  ])
  return table([{ head: "Card" }, { head: "State" }, ...FIRST], rows)
}

function saidOf({ figures }: CardReport, figure: string): string {
  const found = figures.find(({ name }) => name === figure)
  return found === undefined ? "–" : amount(found.median, found.unit)
}

function charts(cards: readonly CardReport[], draw: Draw): Content {
  const names = new Set(cards.flatMap(({ figures }) => figures.map(({ name }) => name)))
  const drawn = [...names].map(name => barsFigure(cards, name, draw))
  if (drawn.length === 0) return null
  const hasTogether = cards.some(({ together }) => together.length > 0)
  return html`<h3>Card by card</h3>
<p class="key"><span><span class="swatch full"></span> alone</span>
${hasTogether && html`<span><span class="swatch"></span> all cards at once</span>\n`}<span><span aria-hidden="true">├─┤</span> half of the repeats</span>
<span><span class="bad">▼</span> behind the middle one of its model's cards, by a tenth and more</span></p>
<div class="pair">
${drawn}</div>
`
}

function barsFigure(cards: readonly CardReport[], name: string, draw: Draw): Content {
  const chart = barsChart(cards, name)
  if (chart === null) return null
  return html`<figure>
<figcaption class="above">${titleOf(name)}</figcaption>
${draw(chart)}</figure>
`
}
