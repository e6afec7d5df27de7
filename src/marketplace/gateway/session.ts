import { z } from "zod"
import { Channel } from "../../protocol/channel.ts"
import { HANDSHAKE_FRAMES } from "../../protocol/delivery.ts"
import { Fault, isFault } from "../../protocol/fault.ts"
import { parseClientFrame } from "../../protocol/frame.ts"
import type { KeyId, PublicKey } from "../../protocol/keys.ts"
import type { LeaseId, SessionId } from "../../protocol/lease.ts"
import { type ClientFrame, isPassing, type MarketMessage } from "../../protocol/message.ts"
import { type Connection, INTERNAL_ERROR, POLICY_VIOLATION } from "./connection.ts"
import type { Peer } from "./roster.ts"

/** How long a session without a socket waits for its client: a router's restart, and less than the wait for a lost job. */
const KEEP_SESSION_MS = 5 * 60_000

const Numbers = z.object({ seq: z.int().min(0), ack: z.int().min(1).optional().catch(undefined) })

export interface SessionParts {
  id: SessionId
  agent: KeyId
  publicKey: PublicKey
  /** Carries out one message; a Fault that it throws is sent as a refusal. */
  answer: (peer: Peer, frame: ClientFrame) => Promise<MarketMessage | undefined>
  /** Called once, when the session is over. */
  over: (session: Session) => void
  bug: (error: unknown) => void
}

/** What a client and the marketplace have to say to each other, over one socket after another. */
export class Session implements Peer {
  readonly id: SessionId
  readonly agent: KeyId
  readonly publicKey: PublicKey
  readonly granted = new Set<LeaseId>()
  readonly #parts: SessionParts
  readonly #channel = new Channel()
  #connection: Connection | null = null
  #turn: Promise<void> = Promise.resolve()
  #forgetting: NodeJS.Timeout | undefined
  #isOver = false

  constructor(parts: SessionParts) {
    this.id = parts.id
    this.agent = parts.agent
    this.publicKey = parts.publicKey
    this.#parts = parts
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen ?? false
  }

  /** The highest number received in order. */
  get received(): number {
    return this.#channel.received
  }

  /** Whether it can go on with a client that has received so far. */
  reaches(received: number): boolean {
    return !this.#isOver && this.#channel.reaches(received)
  }

  /** Goes on over this socket; the one before is dropped, and what it still brings is not heard: the client sends it again here. */
  attach(connection: Connection, received = HANDSHAKE_FRAMES): void {
    const before = this.#connection
    this.#connection = connection
    before?.drop()
    clearTimeout(this.#forgetting)
    this.#channel.attach(text => connection.send(text), received)
  }

  /** Its socket ended without a goodbye: it is kept for a while. */
  detach(connection: Connection): void {
    if (connection !== this.#connection) return
    this.#connection = null
    this.#channel.detach()
    this.#forgetting = setTimeout(() => this.end(), KEEP_SESSION_MS).unref()
  }

  /** Is over at once; the marketplace forgets it. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#connection = null
    clearTimeout(this.#forgetting)
    this.#channel.detach()
    this.#parts.over(this)
  }

  /** As {@link end}, if this is still its socket. */
  endWith(connection: Connection): void {
    if (connection === this.#connection) this.end()
  }

  close(code: number, reason: string): void {
    this.#connection?.close(code, reason)
    this.end()
  }

  send(message: MarketMessage, re?: number): void {
    if (re === undefined && isPassing(message)) this.#channel.pass(message)
    else this.#channel.send(message, re)
  }

  /** Takes one frame, after those that came before it on whatever socket. */
  take(from: Connection, text: string, isBinary: boolean): Promise<void> {
    this.#turn = this.#turn.then(() => this.#handle(from, text, isBinary))
    return this.#turn
  }

  async #handle(from: Connection, text: string, isBinary: boolean): Promise<void> {
    if (from !== this.#connection) return
    let re: number | undefined
    try {
      if (isBinary) throw notText()
      // A frame whose number cannot be read is refused for its form and does not count.
      const numbers = numbersOf(text)
      if (numbers && !this.#channel.take(numbers)) return
      re = numbers?.seq || undefined
      const message = await this.#parts.answer(this, parseClientFrame(text))
      if (message) this.send(message, re)
    } catch (error) {
      this.#fail(error, re, from)
    }
  }

  #fail(error: unknown, re: number | undefined, from: Connection): void {
    if (!isFault(error)) {
      this.#parts.bug(error)
      this.close(INTERNAL_ERROR, "the marketplace met an unexpected error")
      return
    }
    const { code, message, hint } = error
    this.send({ type: "refused", code, message, hint }, re)
    if (code === "frame-not-json") this.close(POLICY_VIOLATION, code)
    if (code !== "message-out-of-order") return
    // What is missing may still come: on the next socket the client sends it again.
    from.close(POLICY_VIOLATION, code)
    this.detach(from)
  }
}

function numbersOf(text: string): z.infer<typeof Numbers> | undefined {
  try {
    return Numbers.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function notText(): Fault {
  return new Fault("frame-not-json", "A frame is binary.", {
    hint: "Speak zg.v1: one JSON object in each text frame.",
  })
}
