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
import type { Nonce } from "../../protocol/lease.ts"
import { Wire } from "./wire.ts"

/** An authenticated connection: both ends have signed the same handshake. */
export interface Session {
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
}

/**
 * Dials a marketplace and authenticates both ways.
 * @throws Fault `market-unreachable`, `protocol-mismatch`, `market-key-changed`, `signature-wrong`, or the marketplace's refusal.
 */
export async function openSession(options: SessionOptions, signal: AbortSignal): Promise<Session> {
  const wire = await Wire.dial(options.url, signal)
  try {
    return await authenticate(wire, options, signal)
  } catch (error) {
    await wire.close()
    throw error
  }
}

async function authenticate(
  wire: Wire,
  { url, signer, agent, pinned }: SessionOptions,
  signal: AbortSignal,
): Promise<Session> {
  const origin = new URL(url).host
  const clientNonce = randomId<Nonce>()
  const hello = { type: "hello", agent, publicKey: signer.publicKey, nonce: clientNonce, origin } as const
  const challenge = await wire.request(hello, "challenge", signal)
  if (pinned !== null && challenge.publicKey !== pinned) throw keyChanged(url, pinned, challenge.publicKey)
  const handshake: Handshake = {
    origin,
    session: challenge.session,
    clientKey: signer.publicKey,
    clientNonce,
    marketKey: challenge.publicKey,
    marketNonce: challenge.nonce,
  }
  const signature = Buffer.from(await signer.sign(handshakeBytes("client", handshake))).toString("base64")
  const welcome = await wire.request({ type: "auth", signature }, "welcome", signal)
  checkMarket(url, handshake, welcome.signature)
  return {
    wire,
    market: { publicKey: challenge.publicKey, keyId: keyIdOf(challenge.publicKey) },
    agent: welcome.agent,
    registered: welcome.registered,
    token: welcome.token,
  }
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
