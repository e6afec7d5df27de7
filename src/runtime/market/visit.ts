import { loadIdentity } from "../../store/identity.ts"
import type { Home } from "../agent/home.ts"
import { requireSettings } from "../agent/settings.ts"
import { openSession, type Session } from "./session.ts"

/**
 * Opens a session with the marketplace of this home for as long as `use` takes.
 * @throws Fault `not-registered`, `identity-missing`, or as `openSession`.
 */
export async function visitMarket<T>(
  home: Home,
  agent: string,
  signal: AbortSignal,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const { market } = requireSettings(home)
  const signer = await loadIdentity(home.identity)
  const session = await openSession({ url: market.url, signer, agent, pinned: market.publicKey }, signal)
  try {
    return await use(session)
  } finally {
    await session.wire.close()
  }
}
