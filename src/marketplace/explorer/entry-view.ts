import { formatCredits } from "../../protocol/format-credits.ts"
import { sha256 } from "../../protocol/tlog/hash.ts"
import { type Html, html } from "./html.ts"
import { entryLink, jobLink, short, time } from "./inline.ts"

/**
 * How an entry of the ledger is shown. The marketplace renders it on the page, and the browser renders it again from the bytes that it has
 * checked itself and compares: so what is read is what is recorded. Nothing here may depend on anything but these bytes and
 * the ledger's key.
 */

const RAW_KEY_BYTES = 32

/** An entry as far as a reader needs it; kinds and accounts of newer marketplaces are shown as they stand. */
interface Read {
  kind: string
  /** Whom and what it is about, by name. */
  about: [name: string, value: string][]
  /** In micro-credits, below zero for what left the account; `for` says why, where it has a reason of its own. */
  legs: { account: string; amount: number; for: string | null }[]
  at: string | null
}

/** What a posting's kind means. */
const MEANINGS: Record<string, string> = {
  grant: "credits that a new identity was given",
  submission: "credits that a buyer set aside for a job",
  settlement: "what a job pays for a shard whose proof holds",
  refund: "what a job did not use",
  forfeit: "a bond that was lost with a wrong result; the job gets what its audit cost, nobody the rest",
  release: "a bond that was paid out",
}

/** One row of a list. Its last cell is left to the browser. @param text the entry's bytes. @param vkey the ledger's key. */
export function entryRow(index: number, text: string, vkey: string): Html {
  const { kind, about, legs, at } = read(text, vkey)
  const named = about.filter(([name]) => name !== "lease")
  return html`<tr data-entry="${index}"><th scope="row">${entryLink(index)}</th><td>${kind}</td><td>${named.map(
    ([name, value]) => html`<span class="pair">${name} ${linked(name, value)}</span> `,
  )}</td><td class="number">${legs.length === 0 ? "" : formatCredits(moved(legs))}</td><td>${
    at === null ? "" : time(at)
  }</td><td class="mark"></td></tr>`
}

/** All of one entry. @param text the entry's bytes. @param vkey the ledger's key. */
export function entryDetail(index: number, text: string, vkey: string): Html {
  const { kind, about, legs, at } = read(text, vkey)
  const meaning = Object.hasOwn(MEANINGS, kind) ? `: ${MEANINGS[kind]}` : null
  return html`<article data-entry="${index}"><dl>
<dt>Kind</dt><dd>${kind}${meaning}</dd>
${about.map(([name, value]) => html`<dt>${name}</dt><dd>${linked(name, value, false)}</dd>\n`)}${
  at === null ? null : html`<dt>When</dt><dd>${time(at)}</dd>\n`
}</dl>
${legs.length === 0 ? null : legsTable(legs)}<h3>As it stands</h3>
<pre tabindex="0">${pretty(text)}</pre></article>`
}

function legsTable(legs: Read["legs"]): Html {
  const areNamed = legs.some(leg => leg.for !== null)
  return html`<table><caption>Credits that it moved</caption><thead><tr><th scope="col">Account</th>${areNamed ? html`<th scope="col">For</th>` : null}<th scope="col" class="number">Credits</th></tr></thead><tbody>${legs.map(
    ({ account, amount, for: purpose }) =>
      html`<tr><th scope="row">${accountLink(account)}</th>${areNamed ? html`<td>${purpose === "bond" ? "kept back as its bond" : purpose}</td>` : null}<td class="number">${amount > 0 ? "+" : ""}${formatCredits(amount)}</td></tr>`,
  )}</tbody></table>\n`
}

function accountLink(account: string): Html {
  const [, name = account, of = ""] = account.match(/^([a-z-]+):(.+)$/) ?? []
  return of === "" ? html`${name}` : html`${name} ${linked(name, of)}`
}

function linked(name: string, value: string, isShort = true): Html {
  if (/^job-[0-9a-f]{12}$/.test(value)) return jobLink(value)
  if (value === MARKET) return html`${value}`
  const isId = /^(sha256:)?[0-9a-f]{32,}$/.test(value)
  const shown = isId && isShort ? short(value) : html`<code class="whole">${value}</code>`
  const isKey = /^[0-9a-f]{64}$/.test(value) && name !== "lease"
  return isKey ? html`<a href="/agents/${value}">${shown}</a>` : shown
}

/** What entered accounts. */
function moved(legs: Read["legs"]): number {
  return legs.reduce((sum, { amount }) => sum + Math.max(0, amount), 0)
}

/** The JSON with line ends; as it stands where it is none. */
export function pretty(text: string): string {
  const value = parsed(text)
  return value === undefined ? text : JSON.stringify(value, null, 2)
}

function read(text: string, vkey: string): Read {
  const value = parsed(text)
  const kind = textOf(field(value, "kind")) ?? "unknown"
  const spec = field(value, "spec")
  if (kind === "dsse") return { ...signed(field(spec, "dsseV002"), vkey), legs: [], at: null }
  if (kind !== "zg-posting") return { kind, about: [], legs: [], at: null }
  const about = Object.entries(field(spec, "about") ?? {}).map(([name, one]): [string, string] => [
    name,
    `${one}`,
  ])
  const legs = listOf(field(spec, "legs")).map(leg => ({
    account: `${field(leg, "account")}`,
    amount: Number(field(leg, "amount")),
    for: textOf(field(leg, "for")),
  }))
  return { kind: textOf(field(spec, "kind")) ?? kind, about, legs, at: textOf(field(spec, "at")) }
}

const MARKET = "the marketplace"

/** The digest of the statement, and whose key signed it: agents sign proofs, the marketplace what it found. */
function signed(dsse: unknown, vkey: string): Pick<Read, "kind" | "about"> {
  const digest = textOf(field(field(dsse, "payloadHash"), "digest")) ?? ""
  const [signature] = listOf(field(dsse, "signatures"))
  const key = bytesOf(textOf(field(field(field(signature, "verifier"), "publicKey"), "rawBytes")) ?? "")
  const isMarkets = rawKey(key) === rawKey(bytesOf(vkey.split("+").slice(2).join("+")))
  const kind = isMarkets ? "statement" : "proof"
  return {
    kind,
    about: [
      [kind, `sha256:${hex(bytesOf(digest))}`],
      ["by", isMarkets ? MARKET : hex(sha256(key))],
    ],
  }
}

/** An Ed25519 key ends its SPKI, and the text by which checkpoints name it. */
function rawKey(encoded: Uint8Array): string {
  return hex(encoded.slice(-RAW_KEY_BYTES))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function field(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null ? (of as Record<string, unknown>)[name] : undefined
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

/** Empty for what is no base64. */
function bytesOf(base64: string): Uint8Array {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(base64) && base64.length % 4 === 0
    ? Uint8Array.from(atob(base64), sign => sign.charCodeAt(0))
    : new Uint8Array()
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, "0")).join("")
}
