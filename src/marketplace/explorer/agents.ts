import type { CapacityReport } from "../../protocol/capacity-report.ts"
import { formatCredits } from "../../protocol/format-credits.ts"
import type { KeyId } from "../../protocol/keys.ts"
import type { Machine } from "../../protocol/message.ts"
import type { AuditRecord } from "../audit/trust.ts"
import { auditLink, shardOf } from "./audit-line.ts"
import { entryTable } from "./entries.ts"
import { type Html, html } from "./html.ts"
import { agentLink, badge, counted, entryLink, short, time } from "./inline.ts"
import { jobTable } from "./jobs.ts"
import { type Content, pager } from "./layout.ts"
import type { AgentRow, AuditLine } from "./look-up.ts"
import type { Sources } from "./sources.ts"

const PAGE = 50
const ENTRIES = 25
const JOBS = 10
const FAILURES = 10

export function agentList({ exchange, lookUp }: Sources, from: number): Content {
  const window = { from, size: PAGE }
  const rows = lookUp.agents(window)
  const { commitments, ledger } = exchange
  const row = ({ keyId, name, machine, registeredAt, settled }: AgentRow) =>
    html`<tr><th scope="row">${agentLink(keyId, name)}<br>${short(keyId)}</th><td>${badge(presence(exchange, keyId))}</td><td>${cardsOf(machine)}</td><td class="number">${settled}</td><td>${recordWords(commitments.record(keyId))}</td><td class="number">${formatCredits(ledger.balance(`bond:${keyId}`))}</td><td>${time(registeredAt)}</td></tr>\n`
  return {
    title: "Agents and buyers",
    section: "agents",
    main: html`<p>Everybody who is registered, the latest first. Names and cards are what their owners said.</p>
<div class="wide" tabindex="0" role="region" aria-label="Table"><table><caption class="unseen">Registered identities</caption><thead><tr><th scope="col">Name and key id</th><th scope="col">Now</th><th scope="col">Cards</th><th scope="col" class="number">Shards settled</th><th scope="col">Audits</th><th scope="col" class="number">Bond</th><th scope="col">Registered</th></tr></thead>
<tbody>${rows.map(row)}</tbody></table></div>
${pager("/agents", { ...window, total: lookUp.count("identity") })}`,
  }
}

function recordWords({ passed, failed }: AuditRecord): string {
  return passed + failed === 0 ? "none yet" : `${passed} passed, ${failed} failed`
}

function presence({ roster }: Sources["exchange"], keyId: AgentRow["keyId"]): string {
  if (roster.slotsOf(keyId).length > 0) return "serving"
  return roster.isConnected(keyId) ? "connected" : "away"
}

function cardsOf({ gpus }: Machine): string {
  const count = Map.groupBy(gpus, ({ model }) => model)
  return (
    [...count].map(([model, same]) => (same.length > 1 ? `${same.length} × ${model}` : model)).join(", ") ||
    "none"
  )
}

/** @returns null for an identity that is not registered. */
export function agentPage(sources: Sources, keyId: string): Content | null {
  const { exchange, lookUp, totals } = sources
  const agent = lookUp.agent(keyId)
  if (!agent) return null
  const { earned, spent, bond } = exchange.ledger.statement(agent.keyId)
  const jobs = lookUp.jobsOf(agent.keyId, JOBS)
  const entries = lookUp.entriesOf(agent.keyId, totals.accountsOf(agent.keyId), ENTRIES)
  const failures = lookUp.failures(agent.keyId, FAILURES)
  const slots = exchange.roster.slotsOf(agent.keyId)
  return {
    title: agent.name,
    section: "agents",
    main: html`<dl>
<dt>Key id</dt><dd><code class="whole">${agent.keyId}</code></dd>
<dt>Now</dt><dd>${badge(presence(exchange, agent.keyId))}${slots.length > 0 ? ` with ${counted(slots.length, "slot")}` : null}</dd>
<dt>Registered</dt><dd>${time(agent.registeredAt)}</dd>
<dt>Cards, as they were shown</dt><dd>${cards(agent.machine)}</dd>
<dt>Shards settled</dt><dd>${agent.settled}</dd>
<dt>Credits earned</dt><dd>${formatCredits(earned)}</dd>
<dt>Audits</dt><dd>${recordWords(exchange.commitments.record(agent.keyId))}; under images that this marketplace vouches for</dd>
<dt>Bond</dt><dd>${formatCredits(bond)} credits, lost when an audit fails</dd>
<dt>Credits spent on own jobs</dt><dd>${formatCredits(spent)}</dd>
</dl>
<h2>What was measured</h2>
${measured(exchange.reports.of(agent.keyId))}
${jobs.length === 0 ? null : html`<h2>Its latest jobs</h2>\n${jobTable(jobs, new Map([[agent.keyId, agent.name]]))}`}
${failures.length === 0 ? null : html`<h2>Its latest failed audits</h2>\n${failureTable(failures, agent.keyId)}`}
<h2>Its latest entries</h2>
${entryTable(sources, entries)}`,
  }
}

function failureTable(failures: readonly AuditLine[], keyId: KeyId): Html {
  const row = (line: AuditLine) =>
    html`<tr><th scope="row">${shardOf(line)}</th><td>${line.agent === keyId ? "the audited one" : "auditor"}</td><td>${auditLink(line)}</td><td>${entryLink(line.entry)}</td></tr>\n`
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table"><table><caption class="unseen">Failed audits</caption><thead><tr><th scope="col">Shard</th><th scope="col">It was</th><th scope="col">The audit</th><th scope="col">Of proof</th></tr></thead>
<tbody>${failures.map(row)}</tbody></table></div>`
}

function cards({ gpus }: Machine): Html {
  if (gpus.length === 0) return html`none: work on the processor only`
  return html`<ul>${gpus.map(({ model, vramMiB }) => html`<li>${model}${vramMiB === null ? null : `, ${vramMiB} MiB`}</li>`)}</ul>`
}

function measured(report: CapacityReport | null): Html {
  if (report === null) return html`<p>It has handed in no capacity report.</p>`
  const state = ({ name, state }: CapacityReport["cards"][number]) =>
    html`<tr><th scope="row">${name ?? "unnamed"}</th><td>${badge(state)}</td></tr>`
  return html`<p>A ${report.depth} report of ${time(report.finishedOn)}, signed by its own key.</p>
${report.cards.length === 0 ? html`<p>It has no cards.</p>` : html`<table><caption class="unseen">Cards as measured</caption><thead><tr><th scope="col">Card</th><th scope="col">State</th></tr></thead><tbody>${report.cards.map(state)}</tbody></table>`}`
}
