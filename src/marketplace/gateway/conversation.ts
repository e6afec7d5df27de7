import type { WebSocket } from "ws"
import { Fault } from "../../protocol/fault.ts"
import { parseClientFrame } from "../../protocol/frame.ts"
import { handshakeBytes } from "../../protocol/handshake.ts"
import { keyIdOf } from "../../protocol/keys.ts"
import type { ClientFrame } from "../../protocol/message.ts"
import type { Exchange } from "../book/exchange.ts"
import { withdrawFrom } from "../book/leases.ts"
import { answer } from "./answers.ts"
import { authenticate, type Challenged, challenge, outOfPlace } from "./handshake.ts"
import type { Peer } from "./roster.ts"
import { POLICY_VIOLATION, Session } from "./session.ts"

const HANDSHAKE_LIMIT_MS = 10_000

/** What a connection has come to. */
type Stage = { name: "new" } | ({ name: "challenged" } & Challenged) | { name: "open"; peer: Peer }

/** Speaks zg.v1 with one client until its socket closes. */
export function converse(socket: WebSocket, host: string, exchange: Exchange): Session {
  let stage: Stage = { name: "new" }
  const session = new Session(
    socket,
    async (text, re) => {
      try {
        stage = await next(stage, parseClientFrame(text), { session, host, exchange, re })
      } catch (error) {
        if (stage.name === "open" || !(error instanceof Fault)) throw error
        session.refuse(error, re)
        session.close(POLICY_VIOLATION, error.code)
      }
      if (stage.name === "open") clearTimeout(limit)
    },
    error => exchange.log.error({ event: "gateway.bug", err: error }),
  )
  const limit = setTimeout(() => {
    session.refuse(tooSlow())
    session.close(POLICY_VIOLATION, "not-authenticated")
  }, HANDSHAKE_LIMIT_MS)
  socket.once("close", () => {
    clearTimeout(limit)
    if (stage.name === "open") leave(exchange, stage.peer)
  })
  return session
}

interface Turn {
  session: Session
  host: string
  exchange: Exchange
  re: number | undefined
}

async function next(stage: Stage, frame: ClientFrame, turn: Turn): Promise<Stage> {
  if (stage.name === "open") {
    const message = await answer(turn.exchange, stage.peer, frame)
    if (message) turn.session.send(message, turn.re)
    return stage
  }
  if (stage.name === "new" && frame.type === "hello") {
    const challenged = challenge(frame, turn.host, turn.exchange.identity)
    const { marketKey: publicKey, marketNonce: nonce, session } = challenged.handshake
    turn.session.send({ type: "challenge", publicKey, nonce, session }, turn.re)
    return { name: "challenged", ...challenged }
  }
  if (stage.name === "challenged" && frame.type === "auth") {
    authenticate(stage, frame)
    return { name: "open", peer: await welcome(stage, turn) }
  }
  throw outOfPlace(frame, stage.name)
}

async function welcome({ handshake }: Challenged, { session, exchange, re }: Turn): Promise<Peer> {
  const publicKey = handshake.clientKey
  const agent = keyIdOf(publicKey)
  const signature = await exchange.identity.sign(handshakeBytes("market", handshake))
  const peer: Peer = {
    agent,
    publicKey,
    send: (message, to) => session.send(message, to),
    close: (code, reason) => session.close(code, reason),
  }
  const token = exchange.roster.enter(peer)
  // The socket may have closed while the welcome was signed; then nobody else will take the peer out again.
  if (!session.isOpen) exchange.roster.leave(peer)
  const registered = exchange.identities.has(agent)
  session.send(
    { type: "welcome", agent, signature: Buffer.from(signature).toString("base64"), token, registered },
    re,
  )
  return peer
}

function leave(exchange: Exchange, peer: Peer): void {
  exchange.watches.drop(peer)
  if (!exchange.roster.leave(peer)) return
  withdrawFrom(exchange, peer.agent)
  exchange.wake()
}

function tooSlow(): Fault {
  return new Fault("not-authenticated", `Nobody authenticated within ${HANDSHAKE_LIMIT_MS / 1000} s.`, {
    hint: "Say hello and answer the challenge at once.",
  })
}
