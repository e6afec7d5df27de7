import { formatCredits } from "../../protocol/format-credits.ts"
import { newest } from "./entries.ts"
import { type Html, html, type Part } from "./html.ts"
import { short } from "./inline.ts"
import type { Content, Site } from "./layout.ts"
import type { Sources } from "./sources.ts"

const NEWEST = 10

/** How accounts are called on the page; others by their own name. */
const HOLDERS: Record<string, string> = {
  identity: "with agents and buyers",
  escrow: "set aside for open jobs",
  bond: "kept back as bonds",
  market: "kept as fees",
}

export function overview(sources: Sources, site: Site): Content {
  const { exchange, lookUp, totals } = sources
  const { ledger } = exchange
  const sums = totals.read()
  const held = [...sums].filter(([kind, sum]) => kind !== "issuer" && sum !== 0)
  return {
    title: "Overview",
    section: "overview",
    main: html`<dl class="facts">
${fact("Agents and buyers", html`<a href="/agents">${lookUp.count("identity")}</a>`)}
${fact("Jobs", html`<a href="/jobs">${lookUp.count("job")}</a>`)}
${fact("Ledger entries", html`<a href="/entries">${ledger.log.size}</a>`)}
${fact("Credits issued", formatCredits(0 - (sums.get("issuer") ?? 0)))}
${held.map(([kind, sum]) => fact(html`… ${HOLDERS[kind] ?? kind}`, formatCredits(sum)))}
</dl>
<p>Its ledger is <code>${site.name}</code>, signed with ${short(site.vkey.split("+").slice(1).join("+"))}; the whole key is above.</p>
<h2>Newest entries</h2>
${newest(sources, { from: 0, size: NEWEST })}
<p><a href="/entries">All entries</a></p>`,
  }
}

function fact(name: Part, value: Part): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}
