import type { PublicKey } from "../../protocol/keys.ts"
import type { SessionId } from "../../protocol/lease.ts"
import type { Resume } from "../../protocol/message.ts"
import { Session, type SessionParts } from "./session.ts"

/** Sessions of one identity that may wait for their clients at the same time; the oldest gives way. */
const WAITING_LIMIT = 8

/** The sessions that are not over, with a socket or waiting for one. They live as long as the process. */
export class Sessions {
  readonly #byId = new Map<SessionId, Session>()

  open(parts: SessionParts): Session {
    const waiting = [...this.#byId.values()].filter(
      ({ agent, isConnected }) => agent === parts.agent && !isConnected,
    )
    for (const session of waiting.slice(0, -WAITING_LIMIT)) session.end()
    const session = new Session({
      ...parts,
      over: ended => {
        this.#byId.delete(ended.id)
        parts.over(ended)
      },
    })
    this.#byId.set(session.id, session)
    return session
  }

  /** The session that this key may go on with; null when it is over, or cannot be made whole any more. */
  find({ session: id, received }: Resume, publicKey: PublicKey): Session | null {
    const session = this.#byId.get(id)
    return session?.publicKey === publicKey && session.reaches(received) ? session : null
  }

  close(): void {
    for (const session of [...this.#byId.values()]) session.end()
  }
}
