import { randomBytes } from "node:crypto"
import { canonicalJson } from "./digest.ts"
import type { PublicKey } from "./keys.ts"
import type { Nonce, SessionId } from "./lease.ts"
import type { Resume } from "./message.ts"

/** All that both ends fix before either signs; neither signature can be used for another session, origin or pair of keys. */
export interface Handshake {
  /** Host and port that the client dialled, such as `market.example:7464`. */
  origin: string
  session: SessionId
  clientKey: PublicKey
  clientNonce: Nonce
  marketKey: PublicKey
  marketNonce: Nonce
  /** Left out where a session begins. */
  resume?: Resume
}

/** The bytes that the given side signs: RFC 8785 JSON of the handshake under a context of its own. */
export function handshakeBytes(side: "client" | "market", handshake: Handshake): Uint8Array {
  return Buffer.from(canonicalJson({ context: `zg.v1 ${side} authentication`, ...handshake }))
}

/** 128 random bits in hex: a nonce, or the id of an offer, a lease, a session or a submission. */
export function randomId<Id extends string>(): Id {
  return randomBytes(16).toString("hex") as Id
}
