import type { AuditPolicy } from "../../protocol/audit.ts"
import { hexOf } from "../../protocol/digest.ts"
import { type Html, html } from "./html.ts"
import { badge, counted, jobLink } from "./inline.ts"
import type { AuditLine } from "./look-up.ts"

/** How an audit came out, in a word. */
export const OUTCOMES = { settled: "passed", failed: "failed", undecided: "undecided" } as const

export function auditLink({ proof, state }: Pick<AuditLine, "proof" | "state">): Html {
  return html`<a href="/audits/${hexOf(proof)}">${badge(OUTCOMES[state])}</a>`
}

/** Which shard of which job; a label that is not to be told is none. */
export function shardOf({ job, label }: Pick<AuditLine, "job" | "label">): Html {
  return html`${label === null ? "a shard" : html`<strong>${label}</strong>`} of ${jobLink(job)}`
}

/** What a job has asked for. */
export function policyWords(audit: AuditPolicy = { kind: "none" }): string {
  switch (audit.kind) {
    case "none":
      return "not audited: every proof that checks is paid"
    case "replicate":
      return `a shard that is drawn is run by ${audit.copies} agents in all, of whom ${audit.quorum} have to agree${least(audit)}`
    case "spot":
      return `of a shard that is drawn, ${spotWords(audit)} again by other agents${least(audit)}`
    case "canary":
      return `shards whose answer is known are given out among the others${least(audit)}`
    default:
      return audit satisfies never
  }
}

function spotWords({ segments, drawn, tolerance }: Extract<AuditPolicy, { kind: "spot" }>): string {
  const parts = segments === 1 ? "all is" : `${drawn} of ${counted(segments, "segment")} are`
  return `${parts} run${tolerance === null ? "" : `, and compared to within ${tolerance},`}`
}

function least({ share }: { share: number }): string {
  return share > 0 ? `; at least ${Number((share * 100).toPrecision(3))} % are drawn` : ""
}
