import type { CardReport } from "../../../protocol/capacity-report.ts"
import { html, type Markup } from "./html.ts"

const SIGNS = { sound: "✔", degraded: "✖", unmeasured: "?" } as const

/** A card's state by sign, word, frame and colour. */
export function stateBadge(state: CardReport["state"]): Markup {
  return html`<span class="state ${state}"><span aria-hidden="true">${SIGNS[state]}</span> ${state}</span>`
}
