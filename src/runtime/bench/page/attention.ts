import type { CapacityReport, CardReport } from "../../../protocol/capacity-report.ts"
import { peakRemarks } from "../peak/remarks.ts"
import { changeOf } from "../report/compare.ts"
import { cardPart, hostPart, type Part, workPart } from "../report/parts.ts"
import { togetherRemarks } from "../report/together-remarks.ts"
import { across } from "./across.ts"
import { dateOf } from "./head.ts"
import { html, type Markup, prose } from "./html.ts"
import { GRAVE, shareHeld } from "./throttle.ts"
import { numbered } from "./titles.ts"

/** Something that its owner should look at, and where the page tells more. */
export interface Notice {
  anchor: string
  who: string
  what: string
}

/** The gravest first: wrong results, a sandbox that does not hold, nothing known, what cannot be, heat, weakness among equals, and what got worse. */
export function noticesOf(report: CapacityReport, previous: CapacityReport | null): Notice[] {
  const { cards, jail } = report
  const aboutCards = (told: (card: CardReport, at: number) => (string | null)[]) =>
    cards.flatMap((card, at) =>
      told(card, at).flatMap(what => (what === null ? [] : [{ ...placeOf(card, at), what }])),
    )
  const broken = { anchor: "sandbox", who: "Sandbox", what: "A hostile container got out of it." }
  const worse = (part: Part | null) => (part === null ? null : worseThanLast(part, previous))
  const others = [
    { anchor: "host", who: "Host", what: worse(hostPart(report, previous)) },
    { anchor: "work", who: "Trainer", what: worse(workPart(report, previous)) },
  ]
  return [
    ...aboutCards(({ state, faults }) => (state === "degraded" ? [faultOf(faults) ?? DEGRADED] : [])),
    ...(jail?.passed === false ? [broken] : []),
    ...aboutCards(({ state, faults }) => (state === "unmeasured" ? [faultOf(faults) ?? UNMEASURED] : [])),
    // The first says whose peak it is; the others say what cannot be.
    ...aboutCards(card => peakRemarks(card).slice(1)),
    ...aboutCards(({ timeline }) => [heldBack(timeline)]),
    ...aboutCards(togetherRemarks),
    ...aboutCards((_, at) => [weak(cards, at)]),
    ...aboutCards(card => [worse(cardPart(card, previous))]),
    ...others.flatMap(({ what, ...place }) => (what === null ? [] : [{ ...place, what }])),
  ]
}

const DEGRADED = "It computes or remembers wrongly."
const UNMEASURED = "Nothing certain is known of it."

export function attention(notices: readonly Notice[]): Markup {
  if (notices.length === 0) return html``
  return html`<section class="attention" aria-labelledby="attention">
<h2 id="attention">To look at</h2>
<ul>
${notices.map(
  ({ anchor, who, what }) => html`<li><a href="#${anchor}">${who}</a>: ${prose(what)}</li>
`,
)}</ul>
</section>
`
}

function placeOf(card: CardReport, at: number) {
  return { anchor: `card-${at}`, who: `Card ${numbered(card, at)}` }
}

function faultOf([fault]: CardReport["faults"]): string | null {
  return fault?.message ?? null
}

function heldBack(timeline: CardReport["timeline"]): string | null {
  const share = shareHeld(timeline, reason => GRAVE.has(reason))
  return share === 0 ? null : `Held back for ${share} % of its long run, and not by its power limit.`
}

function weak(cards: readonly CardReport[], at: number): string | null {
  const names = cards[at]?.figures.map(({ name }) => name) ?? []
  const lacks = names.flatMap(name => across(cards, name)[at]?.lack ?? [])
  return lacks.length === 0 ? null : `Behind the other cards of its model ${inSo(lacks, names.length)}.`
}

function worseThanLast({ figures, last }: Part, previous: CapacityReport | null): string | null {
  const changes = figures.flatMap(figure => changeOf(figure, last) ?? [])
  const lacks = changes.filter(({ isDrop }) => isDrop).map(({ gained }) => -gained)
  if (lacks.length === 0 || previous === null) return null
  return `Worse than on ${dateOf(previous.startedOn)} ${inSo(lacks, figures.length)}.`
}

/** `in 5 of 7 figures, by 22 % at most`. */
function inSo(lacks: readonly number[], figures: number): string {
  const most = Math.round(100 * Math.max(...lacks))
  return `in ${lacks.length} of ${figures} figures, by ${most} %${lacks.length > 1 ? " at most" : ""}`
}
