import { entryDetail, entryRow } from "./entry-view.ts"
import { type Html, html } from "./html.ts"
import { entryLink, jobLink } from "./inline.ts"
import { type Content, pager, verifyPanel } from "./layout.ts"
import type { Window } from "./look-up.ts"
import type { Sources } from "./sources.ts"

const PAGE = 50

type Recorded = Pick<Sources, "exchange" | "vkey">

export function entryList(sources: Sources, from: number): Content {
  const { log } = sources.exchange.ledger
  const window = { from, size: PAGE }
  return {
    title: "Ledger entries",
    section: "entries",
    main: html`<p>Every proof and every movement of credits, the newest first. Nothing here can be changed or taken away.</p>
${newest(sources, window)}
${pager("/entries", { ...window, total: log.size })}`,
  }
}

/** A stretch of the ledger as a table, with the button that verifies it. */
export function newest(sources: Recorded, { from, size }: Window): Html {
  const { log } = sources.exchange.ledger
  const end = Math.max(0, log.size - from)
  const start = Math.max(0, end - size)
  const indices = Array.from({ length: end - start }, (_, at) => end - 1 - at)
  return entryTable(sources, indices)
}

export function entryTable({ exchange, vkey }: Recorded, indices: readonly number[]): Html {
  const { log } = exchange.ledger
  if (indices.length === 0) return html`<p>There are no entries yet.</p>`
  return html`${verifyPanel("Verify all shown")}
<div class="wide" tabindex="0" role="region" aria-label="Table"><table><caption class="unseen">Entries of the ledger</caption><thead><tr><th scope="col">Entry</th><th scope="col">Kind</th><th scope="col">About</th><th scope="col" class="number">Credits</th><th scope="col">When</th><th scope="col"><span class="unseen">Verified</span></th></tr></thead>
<tbody>
${indices.map(index => html`${entryRow(index, log.entry(index).toString("utf8"), vkey)}\n`)}</tbody></table></div>`
}

/** @returns null for an entry that is not there. */
export function entryPage({ exchange, lookUp, vkey }: Sources, index: number): Content | null {
  const { log } = exchange.ledger
  const { size } = log
  if (index >= size) return null
  const text = log.entry(index).toString("utf8")
  const related = proofsIn(text).flatMap(digest => lookUp.proved(digest) ?? [])
  return {
    title: `Entry #${index}`,
    section: "entries",
    main: html`<nav class="pager" aria-label="Neighbours">${index > 0 ? html`<a rel="prev" href="/entries/${index - 1}">#${index - 1}</a>` : null}<span>of ${size}</span>${index + 1 < size ? html`<a rel="next" href="/entries/${index + 1}">#${index + 1}</a>` : null}</nav>
${verifyPanel("Verify")}
${entryDetail(index, text, vkey)}
${related.map(
  ({ job, label, entry }) =>
    html`<h2>What belongs to it</h2>
<p>The proof is of <strong>${label}</strong> of ${jobLink(job)}${entry === null || entry === index ? null : html`, recorded as ${entryLink(entry)}`}.</p>`,
)}`,
  }
}

/** The digests of proofs that an entry names. */
function proofsIn(text: string): string[] {
  const { kind, spec } = JSON.parse(text)
  const base64 = spec?.dsseV002?.payloadHash?.digest
  if (kind === "dsse" && typeof base64 === "string")
    return [`sha256:${Buffer.from(base64, "base64").toString("hex")}`]
  return typeof spec?.about?.proof === "string" ? [spec.about.proof] : []
}
