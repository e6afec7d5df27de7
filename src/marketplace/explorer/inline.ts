import { type Html, html } from "./html.ts"

const ID_DIGITS = 12

/** A digest or key id, shortened; the whole of it is in the title. */
export function short(id: string): Html {
  const digits = id.replace(/^sha256:/, "")
  return digits.length <= ID_DIGITS + 4
    ? html`<code>${digits}</code>`
    : html`<code title="${id}">${digits.slice(0, ID_DIGITS)}…</code>`
}

/** @param at an ISO 8601 time, or milliseconds since 1970. */
export function time(at: string | number): Html {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return html`${at}`
  const iso = date.toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`
}

export function agentLink(keyId: string, name?: string): Html {
  return html`<a href="/agents/${keyId}">${name ?? short(keyId)}</a>`
}

export function jobLink(id: string, name?: string): Html {
  return html`<a href="/jobs/${id}">${name ?? html`<code>${id}</code>`}</a>`
}

export function entryLink(index: number): Html {
  return html`<a href="/entries/${index}">#${index}</a>`
}

/** A state as words with a colour; the words say all. */
export function badge(state: string, words = state): Html {
  return html`<span class="badge ${state.replace(/[^a-z]/g, "")}">${words}</span>`
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
