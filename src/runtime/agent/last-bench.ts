import { checkCapacity } from "../../protocol/capacity-report.ts"
import { Fault } from "../../protocol/fault.ts"
import { loadIdentity } from "../../store/identity.ts"
import { cardPeakOf } from "../bench/peak/share.ts"
import { History } from "../bench/report/history.ts"
import type { Benched } from "./bench.ts"
import type { Home } from "./home.ts"

/**
 * The newest report of a home, when this home's key signed it as it stands.
 * @throws Fault `report-missing`, `identity-*`, `proof-signature-wrong`, `proof-mismatch`.
 */
export async function lastBench(home: Home): Promise<Omit<Benched, "unsent">> {
  const history = new History(home.reports)
  const newest = await history.newest()
  if (newest === null) throw notMeasured(home)
  const { publicKey } = await loadIdentity(home.identity)
  checkCapacity(newest.bundle, publicKey, newest.report)
  return { ...(await history.withPrevious(newest)), peaks: newest.report.cards.map(cardPeakOf) }
}

function notMeasured({ reports }: Home): Fault {
  return new Fault("report-missing", "This machine has not been measured yet.", {
    hint: "Run `zg-agent bench --quick`, or let ZG_HOME name the home in which it was.",
    facts: { reports },
  })
}
