import { formatCredits } from "../../protocol/format-credits.ts"
import { JobId, type JobStatus, type ShardStatus } from "../../protocol/job.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { isAudited } from "../book/audit/committing.ts"
import { jobStatus } from "../book/status.ts"
import { auditLink, policyWords } from "./audit-line.ts"
import { lossCurve } from "./chart.ts"
import { type Html, html } from "./html.ts"
import { agentLink, badge, entryLink, jobLink, time } from "./inline.ts"
import { type Content, pager } from "./layout.ts"
import type { JobLine, LookUp } from "./look-up.ts"
import { publicReason } from "./public-reason.ts"
import type { Sources } from "./sources.ts"

/** A job file can be a megabyte, and is read for its name. */
const PAGE = 25
/** Of a longer job the latest are shown. */
const SHARDS = 256

export function jobList({ lookUp }: Sources, from: number): Content {
  const window = { from, size: PAGE }
  const jobs = lookUp.jobs(window)
  return {
    title: "Jobs",
    section: "jobs",
    main: html`<p>What buyers have asked for, the latest first.</p>
${jobs.length === 0 ? html`<p>There are none yet.</p>` : jobTable(jobs, lookUp.names(jobs.map(({ owner }) => owner)))}
${pager("/jobs", { ...window, total: lookUp.count("job") })}`,
  }
}

export function jobTable(jobs: readonly JobLine[], names: ReadonlyMap<KeyId, string>): Html {
  const row = ({ id, name, kind, state, owner, submittedAt }: JobLine) =>
    html`<tr><th scope="row">${jobLink(id, name)}<br><code>${id}</code></th><td>${kind}</td><td>${badge(state)}</td><td>${agentLink(owner, names.get(owner))}</td><td>${time(submittedAt)}</td></tr>\n`
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table"><table><caption class="unseen">Jobs</caption><thead><tr><th scope="col">Name and id</th><th scope="col">Kind</th><th scope="col">State</th><th scope="col">Buyer</th><th scope="col">Submitted</th></tr></thead>
<tbody>${jobs.map(row)}</tbody></table></div>`
}

/** @returns null for a job that is not there. */
export function jobPage({ exchange, lookUp }: Sources, id: string): Content | null {
  const [row, line] = [exchange.jobs.one(JobId.parse(id)), lookUp.job(id)]
  if (!row || !line) return null
  const status = jobStatus(exchange, row, SHARDS)
  const { settled } = exchange.shards.count(row.id)
  const { audit } = row.spec
  return {
    title: status.name,
    section: "jobs",
    main: html`<dl>
<dt>Job</dt><dd><code>${status.id}</code>, ${status.kind}${status.rounds > 0 ? ` over ${status.rounds} rounds` : null}</dd>
<dt>State</dt><dd>${badge(status.state)} ${publicReason(status.reason)}</dd>
<dt>Buyer</dt><dd>${agentLink(line.owner, lookUp.names([line.owner]).get(line.owner))}</dd>
<dt>Submitted</dt><dd>${time(line.submittedAt)}</dd>
<dt>Shards settled</dt><dd>${settled} of ${status.shardsTotal} <progress max="${status.shardsTotal}" value="${settled}">${settled}</progress></dd>
<dt>Credits paid</dt><dd>${formatCredits(status.spent)} of ${formatCredits(status.escrow)} set aside</dd>
<dt>Audits</dt><dd>${policyWords(audit)}</dd>
${isAudited(row.spec) ? html`<dt>Audited so far</dt><dd>${auditedWords(lookUp.auditCounts(row.id))}</dd>\n` : null}</dl>
${status.losses.length === 0 ? null : html`<h2>What it learned</h2>\n${lossCurve(status.losses.map(({ label, loss }) => ({ label, value: loss })))}`}
<h2>Shards</h2>
${audit?.kind === "canary" ? canaries(status.id) : shardTable(lookUp, status)}`,
  }
}

function canaries(job: JobId): Html {
  return html`<p>They are not listed: which shard is whose would tell a host which of its shards was a canary.</p>
<p>What draws them is <a href="/jobs/${job}/canaries.json">signed by its digest</a> before the first lease, and told when the job is over.</p>`
}

function auditedWords({ settled, failed, undecided }: ReturnType<LookUp["auditCounts"]>): string {
  return `${settled + failed + undecided}, of which ${failed} failed and ${undecided} undecided`
}

function shardTable(lookUp: LookUp, { id, shards, shardsTotal }: JobStatus): Html {
  const first = shards[0]?.index ?? 0
  const proofs = lookUp.proofEntries(id, first)
  const audits = Map.groupBy(lookUp.audits(id, first), ({ index }) => index)
  const names = lookUp.names(shards.flatMap(({ agent }) => agent ?? []))
  const row = (shard: ShardStatus) => {
    const { index, label, state, agent, attempt, step, steps } = shard
    const entry = proofs.get(index)
    return html`<tr><th scope="row">${label}</th><td>${badge(state, state === "committed" ? "waits for its audits" : state)}${attempt > 0 ? ` after ${attempt} failed` : null}</td><td>${agent === null ? null : agentLink(agent, names.get(agent))}</td><td class="number">${steps > 0 ? `${step} / ${steps}` : null}</td><td class="number">${shard.loss?.toFixed(4) ?? null}</td><td>${entry === undefined ? null : entryLink(entry)}</td><td>${(audits.get(index) ?? []).map(audit => html`${auditLink(audit)} `)}</td></tr>\n`
  }
  return html`<p>${shards.length} of ${shardsTotal}${shards.length < shardsTotal ? "; the others are not planned yet, or before these" : null}.</p>
<div class="wide" tabindex="0" role="region" aria-label="Table"><table><caption class="unseen">Shards</caption><thead><tr><th scope="col">Shard</th><th scope="col">State</th><th scope="col">Agent</th><th scope="col" class="number">Step</th><th scope="col" class="number">Loss</th><th scope="col">Proof</th><th scope="col">Audits</th></tr></thead>
<tbody>${shards.map(row)}</tbody></table></div>`
}
