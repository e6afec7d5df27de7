import type { CheckId, Finding } from "./check.ts"
import type { Site } from "./site.ts"

/** One check: what it is called, and how it looks. What it throws becomes a failed check. */
export interface Inspection {
  id: CheckId
  title: string
  /** Milliseconds from the beginning of the pass; the usual limit when absent. */
  limitMs?: number
  look(site: Site, signal: AbortSignal): Promise<Finding>
}
