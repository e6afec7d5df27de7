import type { AuditedPart } from "../../protocol/audit-verdict.ts"
import { VerdictStatement } from "../../protocol/audit-verdict.ts"
import { type Digest, hexOf } from "../../protocol/digest.ts"
import { formatCredits } from "../../protocol/format-credits.ts"
import type { KeyId } from "../../protocol/keys.ts"
import { bundleDigest, readStatement } from "../../protocol/statement.ts"
import { policyWords, shardOf } from "./audit-line.ts"
import { type Html, html } from "./html.ts"
import { agentLink, badge, counted, entryLink, short, time } from "./inline.ts"
import type { Content, Site } from "./layout.ts"
import type { Sources } from "./sources.ts"

/** Of more candidates the first are named; the signed statement has all. */
const CANDIDATES = 50

const RESULTS = { PASSED: "passed", FAILED: "failed", WARNED: "undecided" } as const

type Verdict = VerdictStatement["predicate"]["zg_audit"]

/** What an audit found, and how anybody can check it. @returns null for a proof that no audit has decided. */
export function auditPage({ exchange, lookUp }: Sources, proof: Digest, site: Site): Content | null {
  const { commitments } = exchange
  const [line, claim, bundle] = [lookUp.audit(proof), commitments.one(proof), commitments.verdict(proof)]
  if (!line || !claim || !bundle) return null
  const { result, zg_audit: verdict } = readStatement(bundle, VerdictStatement).predicate
  const { agent, at, policy, probability, checkpoint, parts } = verdict
  const names = lookUp.names([agent, ...parts.flatMap(known)])
  const of = commitments.parts(claim)?.[0]?.of ?? 1
  const view: View = {
    named: keyId => agentLink(keyId, names.get(keyId)),
    entryOf: answer => commitments.one(answer)?.entry ?? null,
  }
  return {
    title: `Audit of ${line.label ?? "a shard"}`,
    section: "jobs",
    main: html`<dl>
<dt>Result</dt><dd>${badge(RESULTS[result])} ${meaning(result, verdict)}</dd>
<dt>Shard</dt><dd>${shardOf(line)}</dd>
<dt>Agent</dt><dd>${view.named(agent)}</dd>
<dt>Its proof</dt><dd>${entryLink(line.entry)} <code class="whole">${proof}</code></dd>
<dt>The job asks for</dt><dd>${policyWords(policy)}</dd>
<dt>Probability of this audit</dt><dd>${percent(probability)}</dd>
<dt>Decided</dt><dd>${time(at)}</dd>
</dl>
${parts.map(part => partView(part, of, view))}
<h2>Check it yourself</h2>
<p>The verdict is <a href="/audits/${hexOf(proof)}.json">a signed statement</a> with digest <code class="whole">${bundleDigest(bundle)}</code>, and the ledger records its signature. With <code>curl</code>, <code>jq</code> and <code>openssl</code> 3, and the key that this page names; better is the one that you trust:</p>
<pre tabindex="0">${commands(proof, site)}</pre>
<details><summary>The checkpoint that everything was drawn from</summary>
<pre tabindex="0">${checkpoint}</pre></details>`,
  }
}

interface View {
  named: (agent: KeyId) => Html
  /** Where the ledger has an answer. */
  entryOf: (answer: Digest) => number | null
}

function known({ answers, draws }: AuditedPart): KeyId[] {
  const candidates = draws.flatMap(draw => draw.candidates.slice(0, CANDIDATES))
  return [...answers, ...candidates].map(({ agent }) => agent)
}

function meaning(result: VerdictStatement["predicate"]["result"], { hidden }: Verdict): string {
  if (hidden) return "The agent did not show the states that were drawn, and is not paid."
  if (result === "PASSED") return "The proof holds, and is paid."
  if (result === "FAILED") return "Others came to another result: the proof does not hold, and is not paid."
  return "Nobody could tell whether the proof holds: it is not paid, and held against nobody."
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}

function partView({ part, answers, draws, wrong }: AuditedPart, of: number, { named, entryOf }: View): Html {
  const row = ({ agent, proof, result }: AuditedPart["answers"][number], at: number) => {
    const entry = proof === null ? null : entryOf(proof)
    return html`<tr><th scope="row">${named(agent)}</th><td>${at === 0 ? "claim" : "auditor"}</td><td>${result === null ? "cannot be run" : short(result)}</td><td>${held(agent, wrong)}</td><td>${entry === null ? null : entryLink(entry)}</td></tr>\n`
  }
  return html`<h2>${partName(part, of)}</h2>
<div class="wide" tabindex="0" role="region" aria-label="Table"><table><caption class="unseen">Answers</caption><thead><tr><th scope="col">Agent</th><th scope="col">As</th><th scope="col">Result</th><th scope="col">Held to be</th><th scope="col">Proof</th></tr></thead>
<tbody>${answers.map(row)}</tbody></table></div>
${draws.length === 0 ? null : html`<details><summary>Who was drawn, among whom</summary>\n<ol>${draws.map(draw => drawView(draw, named))}</ol></details>\n`}`
}

function partName(part: number, of: number): string {
  if (part === of) return "The outputs, made from the last state"
  return of === 1 ? "The whole shard" : `Segment ${part + 1} of ${of}`
}

function held(agent: KeyId, wrong: readonly KeyId[] | null): Html {
  if (wrong === null) return badge("undecided")
  return badge(wrong.includes(agent) ? "wrong" : "right")
}

function drawView({ auditor, candidates }: AuditedPart["draws"][number], named: View["named"]): Html {
  const [shown, more] = [candidates.slice(0, CANDIDATES), candidates.length - CANDIDATES]
  const one = ({ agent, bond }: (typeof candidates)[number], at: number) =>
    html`${at > 0 ? ", " : null}${named(agent)} with a bond of ${formatCredits(bond)}`
  return html`<li>${named(auditor)}, among ${counted(candidates.length, "candidate")}: ${shown.map(one)}${more > 0 ? ` and ${more} more` : null}</li>\n`
}

/** As docs/protocol.md checks receipts, with the key that this page names. */
function commands(proof: Digest, { host, key }: Site): string {
  return `curl -s http://${host}/audits/${hexOf(proof)}.json > verdict.json
echo ${key} | openssl base64 -d -A | openssl pkey -pubin -inform DER -out market.pub
jq -r .dsseEnvelope.payload verdict.json | openssl base64 -d -A > verdict.statement
jq -r '.dsseEnvelope.signatures[0].sig' verdict.json | openssl base64 -d -A > verdict.sig
{ printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < verdict.statement)"; cat verdict.statement; } > verdict.signed
openssl pkeyutl -verify -pubin -inkey market.pub -rawin -in verdict.signed -sigfile verdict.sig
jq . verdict.statement`
}
