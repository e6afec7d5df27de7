import type { Exchange } from "./exchange.ts"
import type { Place } from "./fit.ts"

/** Every slot that is served, with what was measured of it. */
export function placesOf({ roster, reports }: Pick<Exchange, "roster" | "reports">): Place[] {
  return roster.places().map(place => ({ ...place, measured: reports.measured(place.agent, place.slot) }))
}
