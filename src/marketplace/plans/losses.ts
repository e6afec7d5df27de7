import { z } from "zod"

/** What an evaluation says of the parameters, as far as the marketplace reads it. */
const Metrics = z.object({ loss: z.number() })

/** A metrics file over this is not read. */
export const METRICS_LIMIT_BYTES = 64 << 10

/** The evaluated state that a label stands for, such as `round-2` for `round-2/evaluate`; null for any other shard. */
export function evaluatedBy(label: string): string | null {
  if (label === "untrained") return label
  return label.endsWith("/evaluate") ? label.slice(0, -"/evaluate".length) : null
}

/** The held-out loss in nats per byte; null when the file says none. */
export function lossIn(metrics: string): number | null {
  try {
    return Metrics.parse(JSON.parse(metrics)).loss
  } catch {
    return null
  }
}
