import { checkCapacity, reportDigest } from "../../protocol/capacity-report.ts"
import type { ClientFrameOf, MarketMessage } from "../../protocol/message.ts"
import type { Peer } from "../gateway/roster.ts"
import type { Exchange } from "./exchange.ts"

/**
 * Takes an agent's capacity report: from now on its slots are matched by these figures.
 * @throws Fault `proof-malformed`, `proof-signature-wrong` or `proof-mismatch`.
 */
export async function takeReport(
  { db, reports, clock, log, wake }: Exchange,
  { agent, publicKey }: Peer,
  { report, bundle }: ClientFrameOf<"report">,
): Promise<MarketMessage> {
  checkCapacity(bundle, publicKey, report)
  await db.write(() => reports.put(agent, report, bundle, clock()))
  const degraded = report.cards.filter(({ state }) => state === "degraded").length
  log.info({ event: "capacity.reported", agent, depth: report.depth, cards: report.cards.length, degraded })
  wake()
  return { type: "reported", digest: reportDigest(report) }
}
