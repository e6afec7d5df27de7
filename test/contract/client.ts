import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { once } from "node:events"
import { WebSocket } from "ws"
import type { Digest, NamedBlob } from "../../src/protocol/digest.ts"
import { digestOf } from "../../src/protocol/digest.ts"
import { parseMarketFrame } from "../../src/protocol/frame.ts"
import { type Handshake, handshakeBytes, randomId } from "../../src/protocol/handshake.ts"
import { importKey, isSignedBy, keyIdOf, type PublicKey, type Signer } from "../../src/protocol/keys.ts"
import type { Nonce } from "../../src/protocol/lease.ts"
import {
  type ClientMessage,
  type MarketFrame,
  type MarketFrameOf,
  type MarketType,
  SUBPROTOCOL,
} from "../../src/protocol/message.ts"
import { type Assignment, proofStatement } from "../../src/protocol/proof.ts"
import { type Bundle, signStatement } from "../../src/protocol/statement.ts"

/** How long the suite waits for any one answer. */
const ANSWER_LIMIT_MS = 5_000

/** A key pair that can also sign bytes at once. */
export interface Identity extends Signer {
  signNow(message: Uint8Array): string
}

export function newIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519")
  const spki = publicKey.export({ format: "der", type: "spki" }).toString("base64") as PublicKey
  return identityOf(createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" })), spki)
}

function identityOf(privateKey: KeyObject, publicKey: PublicKey): Identity {
  return {
    publicKey,
    keyId: keyIdOf(publicKey),
    sign: async message => sign(null, message, privateKey),
    signNow: message => sign(null, message, privateKey).toString("base64"),
  }
}

export interface Closed {
  code: number
  reason: string
}

/** A bare socket with a mailbox: it says what it is told, right or wrong. */
export class Wire {
  readonly socket: WebSocket
  readonly closed: Promise<Closed>
  readonly inbox: MarketFrame[] = []
  #wake: (() => void)[] = []
  #isClosed: Closed | null = null
  seq = 0

  constructor(url: string, protocols: string[] = [SUBPROTOCOL]) {
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false })
    this.socket.on("error", () => {})
    this.socket.on("message", data => {
      this.inbox.push(parseMarketFrame(data.toString()))
      this.#stir()
    })
    this.closed = new Promise(resolve =>
      this.socket.once("close", (code, reason) => {
        this.#isClosed = { code, reason: reason.toString() }
        this.#stir()
        resolve(this.#isClosed)
      }),
    )
  }

  get isClosed(): boolean {
    return this.#isClosed !== null
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.OPEN) return this
    await Promise.race([
      once(this.socket, "open", { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) }),
      this.closed.then(({ code }) => Promise.reject(new Error(`closed with ${code} before it opened`))),
    ])
    return this
  }

  /** Sends a message under the next number and returns the number. */
  send(message: ClientMessage): number {
    this.seq += 1
    this.raw(JSON.stringify({ ...message, seq: this.seq }))
    return this.seq
  }

  raw(text: string | Uint8Array): void {
    this.socket.send(text)
  }

  /** The next frame that fits, taken out of the mailbox; frames before it stay. */
  async take(
    fits: (frame: MarketFrame) => boolean,
    what: string,
    limitMs = ANSWER_LIMIT_MS,
  ): Promise<MarketFrame> {
    const deadline = performance.now() + limitMs
    for (;;) {
      const index = this.inbox.findIndex(fits)
      const [found] = index < 0 ? [] : this.inbox.splice(index, 1)
      if (found) return found
      if (this.#isClosed) throw new Error(`closed with ${this.#isClosed.code} while waiting for ${what}`)
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`no ${what} within ${limitMs} ms; got ${JSON.stringify(this.inbox)}`)
      await this.#stirred(left)
    }
  }

  async next<Type extends MarketType>(type: Type, limitMs?: number): Promise<MarketFrameOf<Type>> {
    return (await this.take(frame => frame.type === type, type, limitMs)) as MarketFrameOf<Type>
  }

  /** The answer to a frame. */
  async answerTo(seq: number): Promise<MarketFrame> {
    return this.take(frame => frame.re === seq, `answer to ${seq}`)
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.closed
  }

  #stir(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #stirred(limitMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, limitMs)
      this.#wake.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

/** Says hello and gives what both sides have to sign. */
export async function greet(wire: Wire, publicKey: PublicKey, origin?: string): Promise<Handshake> {
  await wire.opened()
  const hello = {
    agent: "contract",
    publicKey,
    nonce: randomId<Nonce>(),
    origin: origin ?? new URL(wire.socket.url).host,
  }
  wire.send({ type: "hello", ...hello })
  const { session, publicKey: marketKey, nonce: marketNonce } = await wire.next("challenge")
  return {
    origin: hello.origin,
    session,
    clientKey: publicKey,
    clientNonce: hello.nonce,
    marketKey,
    marketNonce,
  }
}

/** An authenticated session. */
export class Client {
  readonly wire: Wire
  readonly identity: Identity
  readonly handshake: Handshake
  readonly token: string
  readonly registered: boolean
  readonly http: string

  constructor(wire: Wire, identity: Identity, handshake: Handshake, welcome: MarketFrameOf<"welcome">) {
    this.wire = wire
    this.identity = identity
    this.handshake = handshake
    this.token = welcome.token
    this.registered = welcome.registered
    this.http = wire.socket.url.replace(/^ws/, "http").replace(/\/$/, "")
  }

  /** Sends a message and takes its answer, which must have this type. */
  async ask<Type extends MarketType>(message: ClientMessage, type: Type): Promise<MarketFrameOf<Type>> {
    const frame = await this.wire.answerTo(this.wire.send(message))
    if (frame.type !== type)
      throw new Error(`a ${message.type} was answered by ${JSON.stringify(frame)}, not by ${type}`)
    return frame as MarketFrameOf<Type>
  }

  async refusal(message: ClientMessage): Promise<string> {
    return (await this.ask(message, "refused")).code
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.http}${path}`, {
      ...init,
      headers: { Authorization: `Bearer ${this.token}`, ...init.headers },
    })
  }

  async upload(bytes: string | Uint8Array<ArrayBuffer>): Promise<{ digest: Digest; size: number }> {
    const digest = digestOf(bytes)
    const response = await this.fetch(`/v2/contract/blobs/uploads/?digest=${digest}`, {
      method: "POST",
      body: bytes,
    })
    if (response.status !== 201) throw new Error(`upload: ${response.status} ${await response.text()}`)
    return { digest, size: Buffer.byteLength(bytes) }
  }

  close(): Promise<void> {
    return this.wire.close()
  }
}

/** Connects, authenticates both ways, and registers when asked to. */
export async function connect(url: string, identity = newIdentity()): Promise<Client> {
  const wire = new Wire(url)
  const handshake = await greet(wire, identity.publicKey)
  wire.send({ type: "auth", signature: identity.signNow(handshakeBytes("client", handshake)) })
  const welcome = await wire.next("welcome")
  const signature = Buffer.from(welcome.signature, "base64")
  if (!isSignedBy(importKey(handshake.marketKey), handshakeBytes("market", handshake), signature))
    throw new Error("the marketplace did not prove its key")
  return new Client(wire, identity, handshake, welcome)
}

export async function enrol(url: string, identity = newIdentity()): Promise<Client> {
  const client = await connect(url, identity)
  const machine = { platform: "linux-x64", cpu: "contract", cpus: 2, memoryMiB: 4096, gpus: [] }
  await client.ask({ type: "register", name: "contract", machine }, "registered")
  return client
}

/** The proof that an honest agent would sign for these outputs; `change` falsifies it before it is signed. */
export function prove(
  identity: Signer,
  assignment: Assignment,
  outputs: NamedBlob[],
  change: (statement: ReturnType<typeof proofStatement>) => unknown = () => {},
): Promise<Bundle> {
  const statement = proofStatement(assignment, {
    outputs,
    log: digestOf(""),
    exit: 0,
    startedOn: new Date(Date.now() - 1000).toISOString(),
    finishedOn: new Date().toISOString(),
    isolation: "runc",
    versions: { agent: "contract" },
    sandbox: {
      engine: "none",
      runtime: "none",
      network: "none",
      seccomp: "default",
      profile: "strict",
      disks: "mounted",
      flagsDigest: digestOf(""),
    },
    gpus: [],
    usage: { gpuSeconds: 0, cpuSeconds: 1, energyJoules: null, peakVramBytes: null },
    previous: null,
  })
  change(statement)
  return signStatement(statement, identity)
}
