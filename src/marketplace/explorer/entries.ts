import { auditLink, shardOf } from "./audit-line.ts"
import { entryDetail, entryRow } from "./entry-view.ts"
import { type Html, html } from "./html.ts"
import { entryLink } from "./inline.ts"
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
  const { proof, signature } = namedIn(text)
  const proved = proof === null ? undefined : lookUp.proved(proof)
  const audit =
    (proof === null ? undefined : lookUp.audit(proof)) ??
    (signature === null ? undefined : lookUp.auditSigned(signature))
  return {
    title: `Entry #${index}`,
    section: "entries",
    main: html`<nav class="pager" aria-label="Neighbours">${index > 0 ? html`<a rel="prev" href="/entries/${index - 1}">#${index - 1}</a>` : null}<span>of ${size}</span>${index + 1 < size ? html`<a rel="next" href="/entries/${index + 1}">#${index + 1}</a>` : null}</nav>
${verifyPanel("Verify")}
${entryDetail(index, text, vkey)}
${proved || audit ? html`<h2>What belongs to it</h2>` : null}
${proved ? html`<p>The proof is of ${shardOf(proved)}${recordedAs(proved.entry, index)}.</p>` : null}
${audit ? html`<p>The audit of ${proved ? "this proof" : html`a proof of ${shardOf(audit)}${recordedAs(audit.entry, index)}`}: ${auditLink(audit)}</p>` : null}`,
  }
}

function recordedAs(entry: number | null, shown: number): Html | null {
  return entry === null || entry === shown ? null : html`, recorded as ${entryLink(entry)}`
}

/** The digest of the proof that an entry names, or of the statement that it records, and that one's signature. */
function namedIn(text: string): { proof: string | null; signature: string | null } {
  const { kind, spec } = JSON.parse(text)
  if (kind !== "dsse") return { proof: spec?.about?.proof ?? null, signature: null }
  const { payloadHash, signatures } = spec.dsseV002
  return {
    proof: `sha256:${Buffer.from(payloadHash.digest, "base64").toString("hex")}`,
    signature: signatures[0].content,
  }
}
