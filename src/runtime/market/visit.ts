import { loadIdentity } from "../../store/identity.ts"
import type { Home } from "../agent/home.ts"
import { requireSettings } from "../agent/settings.ts"
import { openSession, type Session, type SessionOptions } from "./session.ts"

/** How this home's identity meets its marketplace. @throws Fault `not-registered`, `identity-missing`. */
export async function sessionOptions(home: Home, agent: string): Promise<SessionOptions> {
  const { market } = requireSettings(home)
  return { url: market.url, signer: await loadIdentity(home.identity), agent, pinned: market.publicKey }
}

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
  const session = await openSession(await sessionOptions(home, agent), signal)
  try {
    return await use(session)
  } finally {
    await session.wire.close()
  }
}
