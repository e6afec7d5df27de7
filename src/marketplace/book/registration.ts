import type { ClientFrameOf, MarketMessage } from "../../protocol/message.ts"
import type { Peer } from "../gateway/roster.ts"
import { grant } from "../ledger/posting.ts"
import type { Exchange } from "./exchange.ts"

/** Registers an identity and grants it its first credits; again, it only takes over the name and the machine. */
export async function register(
  { db, identities, ledger, terms, clock, log }: Exchange,
  { agent, publicKey }: Peer,
  { name, machine }: ClientFrameOf<"register">,
): Promise<MarketMessage> {
  const registered = await db.write(() => {
    const again = identities.has(agent)
    identities.put({ keyId: agent, publicKey, name, machine, at: clock() })
    if (!again) ledger.append(grant(agent, terms.grant))
    const { granted, earned } = ledger.funds(agent)
    return { again, balance: granted + earned }
  })
  if (!registered.again) log.info({ event: "identity.registered", agent, name })
  return { type: "registered", agent, ...registered }
}
