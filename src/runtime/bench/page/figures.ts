import type { Measurement, Unmeasured } from "../../../protocol/measurement.ts"
import { percent } from "../peak/remarks.ts"
import { amount, inPercent, spread } from "../report/amount.ts"
import { changeOf } from "../report/compare.ts"
import type { Part } from "../report/parts.ts"
import { type Content, html, type Markup, prose } from "./html.ts"
import { type Column, table } from "./table.ts"
import { titleOf } from "./titles.ts"

interface Told extends Column {
  cell: (figure: Measurement) => Content
}

/** A part's figures as a table, with a column for what there is; nothing where there are none. */
export function figuresTable({ figures, together, last, shares }: Part, caption: string): Markup {
  if (figures.length === 0) return html``
  const told: Told[] = [
    { head: "Median", look: "num", cell: medianCell },
    ...(Object.keys(shares).length > 0
      ? [{ head: "Of peak", look: "num" as const, cell: shareIn(shares) }]
      : []),
    ...(together.length > 0
      ? [{ head: "All at once", look: "num roomy" as const, cell: sameIn(together) }]
      : []),
    ...(last.length > 0 ? [{ head: "Since last run", look: "num" as const, cell: changeSince(last) }] : []),
  ]
  return table(
    [{ head: "Figure" }, ...told],
    figures.map(figure => [nameCell(figure.name), ...told.map(({ cell }) => cell(figure))]),
    caption,
  )
}

function nameCell(name: string): Markup {
  const title = titleOf(name)
  return title === name ? html`<code>${name}</code>` : html`${title} <code class="aside">${name}</code>`
}

function medianCell(figure: Measurement): Markup {
  const clock = figure.clock === "gpu" ? ", the card's clock" : ""
  return html`${amount(figure.median, figure.unit)} <span class="aside" title="half of the distance between the quartiles of ${figure.repeats} repeats${clock}">±${spread(figure)} %</span>`
}

function shareIn(shares: Part["shares"]) {
  return ({ name }: Measurement) => {
    const share = shares[name]
    return share === undefined ? "" : percent(share)
  }
}

function sameIn(others: readonly Measurement[]) {
  return ({ name }: Measurement) => {
    const other = others.find(one => one.name === name)
    return other === undefined ? "" : amount(other.median, other.unit)
  }
}

function changeSince(last: readonly Measurement[]) {
  return (figure: Measurement) => {
    const change = changeOf(figure, last)
    if (change === null) return null
    return change.isDrop ? html`<strong class="bad">▼ ${inPercent(change)}</strong>` : inPercent(change)
  }
}

/** What could not be measured, and why; figures with the same reason have it once. */
export function unmeasuredList(unmeasured: readonly Unmeasured[]): Markup {
  if (unmeasured.length === 0) return html``
  const byReason = Map.groupBy(unmeasured, ({ reason }) => reason)
  return html`<h3>Not measured</h3>
<dl class="reasons">
${[...byReason].map(
  ([reason, those]) => html`<dt>${those.map(({ name }) => titleOf(name)).join("; ")}</dt>
<dd>${prose(reason)}</dd>
`,
)}</dl>
`
}
