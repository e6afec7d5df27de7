import type { Digest } from "../../../protocol/digest.ts"
import type { KeyId } from "../../../protocol/keys.ts"
import { type Standing, standing } from "../../audit/standing.ts"
import { type Answer, grouped } from "../../audit/verdict.ts"
import type { Part } from "../../plans/parts.ts"
import type { Exchange } from "../exchange.ts"
import { specOf } from "../payment.ts"
import type { AuditRow } from "./audit-row.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { comparedIn, type State, stateIn } from "./compared.ts"
import { isAnswerAudited } from "./odds.ts"

/** Programs that end like this say that a state cannot be run: were that no answer, a cheat would show states that break whoever runs them. */
const UNRUNNABLE = ["shard-failed", "shard-output-missing"]

/** What somebody says of a part; without a proof, that it cannot be run. */
export interface Said extends Answer {
  owner: KeyId
  result: string | number
  /** The digest of the result manifest; null for what cannot be run. */
  digest: Digest | null
  answer: CommitmentRow | null
}

/** A part, who was asked, and how it stands. */
export interface Finding extends Standing<Said> {
  part: Part
  said: Said[]
  rows: AuditRow[]
  /** Those who have been asked and may still answer. */
  pending: AuditRow[]
  /** Pairs of states that somebody has to compare first. */
  uncompared: [State, State][]
  /** Whether it waits for comparisons. */
  isBlocked: boolean
  /** Whether it has had all answers that it takes while nobody differs. */
  isFurther: boolean
}

/** How a claim's parts stand. */
export async function findingsOf(
  exchange: Exchange,
  claim: CommitmentRow,
  parts: readonly Part[],
): Promise<Finding[]> {
  const rows = exchange.audits.auditing(claim.proof)
  const about = (part: Part): About => ({ claim, part, rows: rows.filter(row => row.part === part.number) })
  const comparisons: Finding[] = []
  for (const part of parts.filter(({ compares }) => compares))
    comparisons.push(await compare(exchange, about(part)))
  const findings: Finding[] = []
  for (const part of parts.filter(({ compares }) => !compares))
    findings.push(
      part.within ? await measure(exchange, about(part), comparisons) : match(exchange, about(part)),
    )
  return [...findings, ...comparisons]
}

/** Whether a part is decided, or nobody has come for so long that could decide it. */
export function isOver(
  { terms, clock }: Exchange,
  claim: CommitmentRow,
  { more, found, pending, rows, isBlocked }: Finding,
): boolean {
  if (isBlocked || pending.length > 0) return false
  // Where it holds, nobody is left to audit the last answer.
  if (more === 0 || found.kind === "agreed") return true
  const since = Math.max(claim.auditedAt ?? 0, ...rows.map(({ readyAt }) => readyAt))
  return clock() - since > terms.unmatchedMs
}

interface About {
  claim: CommitmentRow
  part: Part
  rows: AuditRow[]
}

/** Equal bytes are asked for. */
function match(exchange: Exchange, about: About): Finding {
  return stand(exchange, about, saidOf(exchange, about))
}

/** States may be apart: what is within the tolerance counts as the same result, once others have compared it. */
async function measure(exchange: Exchange, about: About, comparisons: readonly Finding[]): Promise<Finding> {
  const { part } = about
  const said = saidOf(exchange, about)
  const states = await Promise.all(said.map(({ answer }) => answer && stateIn(exchange, part, answer)))
  const found = pairsOf(states).map(([one, other]) => ({
    one,
    other,
    ...comparedBy(exchange, about.claim, comparisons, one, other),
  }))
  const uncompared = found
    .filter(({ known }) => known === "unasked")
    .map(({ one, other }): [State, State] => [one, other])
  const isBlocked = found.some(({ known }) => known === "unasked" || known === "asked")
  const areAlike = (one: State | null, other: State | null) =>
    one === other || found.some(pair => pair.one === one && pair.other === other && pair.known === "alike")
  const groups = grouped(states, (one, other) => areAlike(one, other) || areAlike(other, one))
  const results = said.map((one, place) => ({ ...one, result: groups[place] as number }))
  const finding = stand(exchange, about, results)
  if (found.some(({ known }) => known === "undecided") && !isBlocked)
    return { ...finding, more: 1, found: { kind: "open", more: 1 } }
  return { ...finding, uncompared, isBlocked }
}

/** What others say of how far two states are apart. */
async function compare(exchange: Exchange, about: About): Promise<Finding> {
  const said = await Promise.all(
    saidOf(exchange, about).map(async one => ({
      ...one,
      result: one.answer && (await comparedIn(exchange, one.answer)) ? "alike" : "apart",
    })),
  )
  return stand(exchange, about, said)
}

function stand(exchange: Exchange, { claim, part, rows }: About, said: Said[]): Finding {
  const { terms } = exchange
  const pending = rows.filter(
    ({ state, proof }) => state === "ready" || state === "leased" || isUndrawn(exchange, proof),
  )
  const counts = { ...countsOf(exchange, claim, part), lead: terms.audit.lead }
  const stood = standing(said, counts, ({ answer }) => isAnswerAudited(exchange, answer))
  return {
    part,
    said,
    rows,
    pending,
    ...stood,
    uncompared: [],
    isBlocked: false,
    isFurther: said.length >= counts.copies,
  }
}

function countsOf(exchange: Exchange, claim: CommitmentRow, { compares }: Part) {
  if (compares) return { quorum: 1, copies: 1 }
  const { audit } = specOf(exchange, claim.job)
  return audit?.kind === "replicate" ? audit : { quorum: 2, copies: 2 }
}

function saidOf(exchange: Exchange, { claim, part, rows }: About): Said[] {
  const claimed = part.claimed
  const first: Said[] =
    claimed === null ? [] : [{ owner: claim.agent, result: claimed, digest: claimed, answer: claim }]
  return [...first, ...rows.flatMap(row => answerOf(exchange, row) ?? [])]
}

function answerOf({ commitments }: Exchange, { auditor, proof, lost }: AuditRow): Said | null {
  if (lost !== null)
    return UNRUNNABLE.includes(lost)
      ? { owner: auditor, result: "unrunnable", digest: null, answer: null }
      : null
  const answer = proof === null ? undefined : commitments.one(proof)
  if (!answer?.checkpoint) return null
  return { owner: auditor, result: answer.result, digest: answer.result, answer }
}

/** An answer counts once the ledger has drawn whether it is audited, too. */
function isUndrawn({ commitments }: Exchange, proof: Digest | null): boolean {
  const answer = proof === null ? undefined : commitments.one(proof)
  return answer?.state === "open" && answer.checkpoint === null
}

type Known = "alike" | "apart" | "undecided" | "asked" | "unasked"

function comparedBy(
  exchange: Exchange,
  claim: CommitmentRow,
  comparisons: readonly Finding[],
  one: State,
  other: State,
): { known: Known } {
  if (one.before !== other.before) return { known: "apart" }
  if (one.digest === other.digest) return { known: "alike" }
  const both = [one.digest, other.digest]
  const comparison = comparisons.find(({ part }) =>
    part.compares?.states.every(state => both.includes(state)),
  )
  if (!comparison) return { known: "unasked" }
  if (!isOver(exchange, claim, comparison)) return { known: "asked" }
  if (comparison.found.kind === "open") return { known: "undecided" }
  return { known: comparison.found.result === "alike" ? "alike" : "apart" }
}

function pairsOf(states: readonly (State | null)[]): [State, State][] {
  const there = states.filter(state => state !== null)
  return there.flatMap((one, place) => there.slice(place + 1).map((other): [State, State] => [one, other]))
}
