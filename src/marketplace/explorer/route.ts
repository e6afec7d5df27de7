import { type Digest, digestOfHex } from "../../protocol/digest.ts"
import type { JobId } from "../../protocol/job.ts"

/** A page of the explorer. `from` counts from the newest. */
export type Route =
  | { to: "overview" }
  | { to: "agents" | "jobs" | "entries"; from: number }
  | { to: "agent" | "job"; id: string }
  /** What the marketplace has signed of a job's canaries. */
  | { to: "canaries"; job: JobId }
  | { to: "entry"; index: number }
  /** The audit of a proof, by the digits of its digest: for people, or as it was signed. */
  | { to: "audit" | "verdict"; proof: Digest }
  | { to: "asset"; path: string }

/** Further back nobody pages; whoever looks for an entry names it. */
const FURTHEST = 1_000_000_000

/** @returns null for an address that the explorer does not have. */
export function findRoute({ pathname, searchParams }: URL): Route | null {
  if (pathname === "/") return { to: "overview" }
  if (pathname.startsWith("/explorer/")) return { to: "asset", path: pathname.slice("/explorer/".length) }
  const [, audited, format] = pathname.match(/^\/audits\/([0-9a-f]{64})(\.json)?$/) ?? []
  if (audited !== undefined)
    return { to: format === undefined ? "audit" : "verdict", proof: digestOfHex(audited) }
  const [, job] = pathname.match(/^\/jobs\/(job-[0-9a-f]{12})\/canaries\.json$/) ?? []
  if (job !== undefined) return { to: "canaries", job: job as JobId }
  const [, list, one] = pathname.match(/^\/(agents|jobs|entries)(?:\/([0-9a-z-]{1,64}))?$/) ?? []
  if (list === undefined) return null
  if (one === undefined) {
    const from = numberIn(searchParams.get("from") ?? "0")
    return from === null ? null : { to: list as "agents" | "jobs" | "entries", from }
  }
  return oneOf(list, one)
}

function oneOf(list: string, id: string): Route | null {
  if (list === "agents") return /^[0-9a-f]{64}$/.test(id) ? { to: "agent", id } : null
  if (list === "jobs") return /^job-[0-9a-f]{12}$/.test(id) ? { to: "job", id } : null
  const index = numberIn(id)
  return index === null ? null : { to: "entry", index }
}

function numberIn(text: string): number | null {
  return /^(0|[1-9]\d{0,9})$/.test(text) && Number(text) <= FURTHEST ? Number(text) : null
}
