import type { CapacityReport } from "../../../protocol/capacity-report.ts"
import { html, type Markup } from "./html.ts"

/** What it is about, and what came of it in a line. */
export function head(report: CapacityReport): Markup {
  const { host, depth, parts, startedOn, finishedOn, agent } = report
  const cores = host.physicalCores === null ? "" : `${host.physicalCores} cores, `
  const machine = [
    host.cpu,
    `${cores}${host.logicalCores} threads`,
    `${gibOf(host.memoryMiB)} GiB of memory`,
    `${host.platform}, kernel ${host.kernel}`,
  ]
  return html`<header>
<p class="kicker">Capacity report</p>
<h1>${verdict(report)}</h1>
${factsLine(machine)}
<dl class="facts">
<div><dt>Measured</dt><dd><time datetime="${startedOn}">${dateOf(startedOn)}</time>, in ${lasted(startedOn, finishedOn)}</dd></div>
<div><dt>Depth</dt><dd>${depth}</dd></div>
<div><dt>Parts</dt><dd>${parts.join(", ")}</dd></div>
<div><dt>Agent</dt><dd>${agent}</dd></div>
</dl>
</header>
`
}

/** Facts beside each other. */
export function factsLine(facts: readonly string[]): Markup {
  return html`<p class="line">${facts.map(fact => html`<span>${fact}</span>\n`)}</p>
`
}

/** The cards' states in a sentence. */
export function verdict({ cards, parts }: Pick<CapacityReport, "cards" | "parts">): string {
  if (!parts.includes("gpus")) return "The cards were not looked at"
  if (cards.length === 0) return "No card was found"
  const having = (state: string) => cards.filter(card => card.state === state).length
  const [sound, degraded, unmeasured] = [having("sound"), having("degraded"), having("unmeasured")]
  if (cards.length === 1) return `The card is ${cards[0]?.state}`
  if (sound === cards.length) return `All ${sound} cards are sound`
  const others = [degraded > 0 && `${degraded} degraded`, unmeasured > 0 && `${unmeasured} unmeasured`]
  return `${sound} of ${cards.length} cards are sound; ${others.filter(Boolean).join(", ")}`
}

/** `2026-03-01 09:12 UTC`. */
export function dateOf(timestamp: string): string {
  return `${new Date(timestamp).toISOString().slice(0, 16).replace("T", " ")} UTC`
}

function lasted(from: string, to: string): string {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000))
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

export function gibOf(mebibytes: number): number {
  return Number((mebibytes / 1024).toPrecision(3))
}
