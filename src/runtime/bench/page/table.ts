import { type Content, html, type Markup } from "./html.ts"

export interface Column {
  head: string
  /** `num`: to the right. `roomy`: left out on a narrow screen. */
  look?: "num" | "num roomy"
}

/** A table whose first column names its rows. @param rows one cell for each column. */
export function table(columns: readonly Column[], rows: readonly Content[][], caption?: string): Markup {
  return html`<table>
${caption !== undefined && html`<caption>${caption}</caption>\n`}<thead><tr>${columns.map(headCell)}</tr></thead>
<tbody>
${rows.map(cells => html`<tr>${cells.map((cell, at) => bodyCell(cell, at, columns[at]))}</tr>\n`)}</tbody>
</table>
`
}

function headCell({ head, look }: Column): Markup {
  return html`<th scope="col"${classOf(look)}>${head}</th>`
}

function bodyCell(cell: Content, at: number, column: Column | undefined): Markup {
  if (at === 0) return html`<th scope="row">${cell}</th>`
  return html`<td${classOf(column?.look)}>${cell}</td>`
}

function classOf(look: Column["look"]): Content {
  return look !== undefined && html` class="${look}"`
}
