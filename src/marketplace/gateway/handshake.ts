import type { KeyObject } from "node:crypto"
import { Fault } from "../../protocol/fault.ts"
import { type Handshake, handshakeBytes, randomId } from "../../protocol/handshake.ts"
import { importKey, isSignedBy, type Signer } from "../../protocol/keys.ts"
import type { Nonce, SessionId } from "../../protocol/lease.ts"
import type { ClientFrame, ClientFrameOf } from "../../protocol/message.ts"

/** A challenge that waits for its one answer. */
export interface Challenged {
  key: KeyObject
  handshake: Handshake
}

/**
 * Takes a hello and fixes what both sides sign.
 * @param host the Host header of the upgrade: what the client dialled, as far as this end can know.
 * @throws Fault `key-refused`, or `signature-wrong` when the client believes to be elsewhere.
 */
export function challenge(
  hello: ClientFrameOf<"hello">,
  host: string,
  market: Pick<Signer, "publicKey">,
): Challenged {
  const key = importKey(hello.publicKey)
  if (canonicalHost(hello.origin) !== canonicalHost(host)) {
    throw new Fault("signature-wrong", "The session is meant for another address than this one.", {
      hint: "Connect to the marketplace directly: something in between speaks for it.",
      facts: { origin: hello.origin, host },
    })
  }
  const session = randomId<SessionId>()
  return {
    key,
    handshake: {
      origin: hello.origin,
      session,
      clientKey: hello.publicKey,
      clientNonce: hello.nonce,
      marketKey: market.publicKey,
      marketNonce: randomId<Nonce>(),
      ...(hello.resume && { resume: hello.resume }),
    },
  }
}

/** @throws Fault `signature-wrong`, also for a signature over another session. */
export function authenticate({ key, handshake }: Challenged, { signature }: ClientFrameOf<"auth">): void {
  if (isSignedBy(key, handshakeBytes("client", handshake), Buffer.from(signature, "base64"))) return
  throw new Fault("signature-wrong", "The signature does not fit this session and the key.", {
    hint: "Sign the challenge of this very session with the key that said hello.",
  })
}

/**
 * Which handshake frame was due, when another one came.
 * @throws Fault `not-authenticated`, `challenge-replayed` or `message-out-of-order`
 */
export function outOfPlace(frame: ClientFrame, stage: "new" | "challenged" | "open"): Fault {
  const due = { new: "hello", challenged: "auth", open: "the work" }[stage]
  if (stage === "open" && frame.type === "auth")
    return new Fault("challenge-replayed", "The challenge of this session has been answered.", {
      hint: "Open a new connection to authenticate again.",
    })
  if (stage === "open")
    return new Fault("message-out-of-order", `A ${frame.type} came in the middle of a session.`, {
      hint: "Open a new connection to start again.",
    })
  return new Fault("not-authenticated", `A ${frame.type} came where ${due} was due.`, {
    hint: "Say hello, then answer the challenge.",
    facts: { type: frame.type },
  })
}

/** Clients leave out a scheme's own port; the handshake may name it. */
function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/:(80|443)$/, "")
}
