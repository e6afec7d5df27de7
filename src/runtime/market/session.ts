import { Fault } from "../../protocol/fault.ts"
import { type Handshake, handshakeBytes, randomId } from "../../protocol/handshake.ts"
import {
  importKey,
  isSignedBy,
  type KeyId,
  keyIdOf,
  type PublicKey,
  type Signer,
} from "../../protocol/keys.ts"
import type { Nonce, SessionId } from "../../protocol/lease.ts"
import { Connection } from "./connection.ts"
import { exchange } from "./greeting.ts"
import { lost, outOfPlace } from "./trouble.ts"
import { Wire } from "./wire.ts"

/** What two ends that have signed the same handshake say to each other, over one socket after another. */
export interface Session {
  id: SessionId
  wire: Wire
  market: { publicKey: PublicKey; keyId: KeyId }
  agent: KeyId
  registered: boolean
  /** Bearer token for the marketplace's registry endpoint, valid while this session lives. */
  token: string
}

/** Where the marketplace keeps blobs and images: on the same host and port, over HTTP. */
export function registryUrl(marketUrl: string): string {
  const url = new URL(marketUrl)
  url.protocol = url.protocol === "wss:" ? "https:" : "http:"
  return url.origin
}

export interface SessionOptions {
  /** `ws://` or `wss://` address of the marketplace. */
  url: string
  signer: Signer
  /** Name and version of this program, for the marketplace's log. */
  agent: string
  /** The key that this marketplace showed at registration; null trusts the first one seen. */
  pinned: PublicKey | null
  /** After this long without a byte from the marketplace the connection counts as lost; a proxy between may need another. */
  silenceMs?: number
}

/**
 * Dials a marketplace and authenticates both ways.
 * @throws Fault `market-unreachable`, `protocol-mismatch`, `market-key-changed`, `signature-wrong`, or the marketplace's refusal.
 */
export function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  return dialled(options, signal, connection =>
    greet(connection, { options, earlier: null, resumes: false }, signal),
  )
}

/**
 * As {@link openSession}, for whoever dials again when the socket is lost: goes on with the earlier session if the marketplace still has
 * it, and gives that one; otherwise gives a new one. The earlier one is not ended here.
 */
export function resumeSession(
  options: SessionOptions,
  earlier: Session | null,
  signal: AbortSignal,
): Promise<Session> {
  return dialled(options, signal, connection =>
    greet(connection, { options, earlier, resumes: true }, signal),
  )
}

async function dialled(
  { url, silenceMs }: SessionOptions,
  signal: AbortSignal,
  use: (connection: Connection) => Promise<Session>,
): Promise<Session> {
  const connection = await Connection.dial(url, signal, silenceMs)
  try {
    return await use(connection)
  } catch (error) {
    await connection.close()
    throw error
  }
}

interface Greeting {
  options: SessionOptions
  earlier: Session | null
  resumes: boolean
}

async function greet(connection: Connection, greeting: Greeting, signal: AbortSignal): Promise<Session> {
  const { options, earlier, resumes } = greeting
  const { url, signer, agent, pinned } = options
  const resume = earlier && { session: earlier.id, received: earlier.wire.received }
  const said = { origin: new URL(url).host, ...(resume && { resume }) }
  const nonce = randomId<Nonce>()
  const hello = { type: "hello", agent, publicKey: signer.publicKey, nonce, ...said } as const
  const challenge = await exchange(connection, { url, seq: 1, message: hello }, ["challenge"], signal)
  if (pinned !== null && challenge.publicKey !== pinned) throw keyChanged(url, pinned, challenge.publicKey)
  const handshake: Handshake = {
    ...said,
    session: challenge.session,
    clientKey: signer.publicKey,
    clientNonce: nonce,
    marketKey: challenge.publicKey,
    marketNonce: challenge.nonce,
  }
  const signature = Buffer.from(await signer.sign(handshakeBytes("client", handshake))).toString("base64")
  const auth = { url, seq: 2, message: { type: "auth", signature } } as const
  const answer = await exchange(connection, auth, ["welcome", "resumed"], signal)
  checkMarket(url, handshake, answer.signature)
  if (answer.type === "resumed") return goOn(connection, { url, earlier, received: answer.received })
  const wire = new Wire(url, resumes)
  wire.attach(connection)
  const market = { publicKey: challenge.publicKey, keyId: keyIdOf(challenge.publicKey) }
  const { agent: keyId, registered, token } = answer
  return { id: challenge.session, wire, market, agent: keyId, registered, token }
}

/** @throws Fault `market-lost` when this end has forgotten what the other one lacks: then the earlier session is over. */
function goOn(
  connection: Connection,
  { url, earlier, received }: { url: string; earlier: Session | null; received: number },
): Session {
  if (!earlier) throw outOfPlace("welcome", "resumed")
  if (!earlier.wire.reaches(received)) {
    const why = lost(url, { code: 1000, reason: "too much was sent while it was away" })
    earlier.wire.end(why)
    throw why
  }
  earlier.wire.attach(connection, received)
  return earlier
}

function checkMarket(url: string, handshake: Handshake, signature: string): void {
  const key = importKey(handshake.marketKey)
  if (isSignedBy(key, handshakeBytes("market", handshake), Buffer.from(signature, "base64"))) return
  throw new Fault("signature-wrong", `The marketplace at ${url} does not hold the key that it shows.`, {
    hint: "Do not use this address: something between you and the marketplace pretends to be it.",
  })
}

function keyChanged(url: string, pinned: PublicKey, shown: PublicKey): Fault {
  return new Fault(
    "market-key-changed",
    `The marketplace at ${url} shows another key than at registration.`,
    {
      hint: "If its operator confirms the new key, register again with `zg-agent register --market … --trust-new-key`.",
      facts: { pinned: keyIdOf(pinned), shown: keyIdOf(shown) },
    },
  )
}
