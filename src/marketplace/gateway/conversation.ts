import type { WebSocket } from "ws"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import { parseClientFrame } from "../../protocol/frame.ts"
import { handshakeBytes } from "../../protocol/handshake.ts"
import { keyIdOf } from "../../protocol/keys.ts"
import type { MarketMessage } from "../../protocol/message.ts"
import type { Exchange } from "../book/exchange.ts"
import { withdrawFrom } from "../book/leases.ts"
import { answer } from "./answers.ts"
import { ABNORMAL, Connection, INTERNAL_ERROR, POLICY_VIOLATION } from "./connection.ts"
import { authenticate, type Challenged, challenge, outOfPlace } from "./handshake.ts"
import type { Peer } from "./roster.ts"
import type { Session } from "./session.ts"
import type { Sessions } from "./sessions.ts"

const HANDSHAKE_LIMIT_MS = 10_000

const Numbered = z.object({ seq: z.int().min(1) })

/** What a connection has come to. */
type Stage = { name: "new" } | ({ name: "challenged" } & Challenged) | { name: "open"; session: Session }

/** Where a connection came in, and what it may come to. */
export interface Surroundings {
  /** The Host header of the upgrade. */
  host: string
  exchange: Exchange
  sessions: Sessions
}

/** Speaks zg.v1 with one client: the handshake here, then as its session, until the socket closes. */
export function converse(socket: WebSocket, around: Surroundings): Connection {
  const { exchange } = around
  let stage: Stage = { name: "new" }
  let [sent, received] = [0, 0]
  const say = (message: MarketMessage, re?: number) =>
    connection.send(JSON.stringify({ ...message, seq: ++sent, re }))
  const connection: Connection = new Connection(socket, async (text, isBinary) => {
    if (stage.name === "open") return stage.session.take(connection, text, isBinary)
    if (!connection.isOpen) return
    const re = isBinary ? undefined : numberOf(text)
    try {
      checkOrder(re, ++received)
      stage = await shake(stage, isBinary ? "" : text, {
        connection,
        say: message => say(message, re),
        around,
      })
      if (stage.name === "open") clearTimeout(limit)
      // It may have closed while the welcome was signed; then nobody else lets the session go.
      if (stage.name === "open" && !connection.isOpen) part(exchange, stage.session, connection, ABNORMAL)
    } catch (error) {
      if (!(error instanceof Fault)) {
        exchange.log.error({ event: "gateway.bug", err: error })
        return connection.close(INTERNAL_ERROR, "the marketplace met an unexpected error")
      }
      turnAway(error, re)
    }
  })
  const turnAway = ({ code, message, hint }: Fault, re?: number) => {
    say({ type: "refused", code, message, hint }, re)
    connection.close(POLICY_VIOLATION, code)
  }
  const limit = setTimeout(() => turnAway(tooSlow()), HANDSHAKE_LIMIT_MS)
  socket.once("close", (code, reason) => {
    clearTimeout(limit)
    if (stage.name === "open") part(exchange, stage.session, connection, code, reason.toString())
  })
  return connection
}

interface Turn {
  connection: Connection
  /** Answers the frame of this turn. */
  say: (message: MarketMessage) => void
  around: Surroundings
}

async function shake(
  stage: Exclude<Stage, { name: "open" }>,
  text: string,
  { connection, say, around }: Turn,
): Promise<Stage> {
  const frame = parseClientFrame(text)
  if (stage.name === "new" && frame.type === "hello") {
    const challenged = challenge(frame, around.host, around.exchange.identity)
    const { marketKey: publicKey, marketNonce: nonce, session } = challenged.handshake
    say({ type: "challenge", publicKey, nonce, session })
    return { name: "challenged", ...challenged }
  }
  if (stage.name === "challenged" && frame.type === "auth") {
    authenticate(stage, frame)
    return { name: "open", session: await admit(stage, { connection, say, around }) }
  }
  throw outOfPlace(frame, stage.name)
}

/** Goes on with the session that hello named, if it is still here, or else begins one. */
async function admit(
  { handshake }: Challenged,
  { connection, say, around: { exchange, sessions } }: Turn,
): Promise<Session> {
  const { resume, session: id, clientKey: publicKey } = handshake
  const signed = await exchange.identity.sign(handshakeBytes("market", handshake))
  const signature = Buffer.from(signed).toString("base64")
  const earlier = resume && sessions.find(resume, publicKey)
  if (earlier) {
    say({ type: "resumed", signature, received: earlier.received })
    earlier.attach(connection, resume.received)
    exchange.wake()
    return earlier
  }
  const agent = keyIdOf(publicKey)
  const session = sessions.open({
    ...{ id, agent, publicKey },
    answer: (peer, frame) => answer(exchange, peer, frame),
    over: peer => leave(exchange, peer),
    bug: error => exchange.log.error({ event: "gateway.bug", err: error }),
  })
  const token = exchange.roster.enter(session)
  say({ type: "welcome", agent, signature, token, registered: exchange.identities.has(agent) })
  session.attach(connection)
  return session
}

/** A socket that was lost leaves its session waiting; a goodbye ends it, and so does a client that has nothing here to lose. */
function part(exchange: Exchange, session: Session, connection: Connection, code: number, reason = ""): void {
  const lost = code === ABNORMAL || reason === "message-out-of-order"
  if (lost && exchange.identities.has(session.agent)) session.detach(connection)
  else session.endWith(connection)
}

function leave(exchange: Exchange, peer: Peer): void {
  exchange.watches.drop(peer)
  if (!exchange.roster.leave(peer)) return
  withdrawFrom(exchange, peer.agent)
  exchange.wake()
}

function numberOf(text: string): number | undefined {
  try {
    return Numbered.safeParse(JSON.parse(text)).data?.seq
  } catch {
    return undefined
  }
}

/** @throws Fault `message-out-of-order` */
function checkOrder(seq: number | undefined, due: number): void {
  if (seq === undefined || seq === due) return
  throw new Fault("message-out-of-order", `Message ${seq} came where ${due} was due.`, {
    hint: "Number the handshake's messages 1 and 2 on every connection.",
    facts: { seq, due },
  })
}

function tooSlow(): Fault {
  return new Fault("not-authenticated", `Nobody authenticated within ${HANDSHAKE_LIMIT_MS / 1000} s.`, {
    hint: "Say hello and answer the challenge at once.",
  })
}
