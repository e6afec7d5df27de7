import type { RawData, WebSocket } from "ws"
import { z } from "zod"
import { Fault } from "../../protocol/fault.ts"
import type { MarketMessage } from "../../protocol/message.ts"

/** Close code for whoever breaks the protocol (RFC 6455, 7.4.1). */
export const POLICY_VIOLATION = 1008
const INTERNAL_ERROR = 1011
/** A peer that reads so slowly that this much waits for it is dropped. */
const UNREAD_LIMIT_BYTES = 16 << 20
/** Frames that may wait for their turn before the socket is paused. */
const QUEUE_LIMIT = 32

const Numbered = z.object({ seq: z.int().min(1) })

/** Takes one frame's text; a Fault that it throws is sent as a refusal. */
export type Take = (text: string, re: number | undefined) => Promise<void>

/** One WebSocket: numbers what goes out, checks the numbers of what comes in, takes frames one after the other. */
export class Session {
  readonly #socket: WebSocket
  readonly #take: Take
  #sent = 0
  #received = 0
  #queued = 0
  #turn: Promise<void> = Promise.resolve()
  #bug: (error: unknown) => void

  constructor(socket: WebSocket, take: Take, bug: (error: unknown) => void) {
    this.#socket = socket
    this.#take = take
    this.#bug = bug
    socket.on("message", (data, isBinary) => this.#enqueue(data, isBinary))
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  /** Resolves when every frame taken so far has been carried out. */
  get idle(): Promise<void> {
    return this.#turn
  }

  send(message: MarketMessage, re?: number): void {
    if (!this.isOpen) return
    this.#sent += 1
    this.#socket.send(JSON.stringify({ ...message, seq: this.#sent, re }))
    if (this.#socket.bufferedAmount > UNREAD_LIMIT_BYTES) this.#socket.terminate()
  }

  refuse({ code, message, hint }: Fault, re?: number): void {
    this.send({ type: "refused", code, message, hint }, re)
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  #enqueue(data: RawData, isBinary: boolean): void {
    this.#queued += 1
    if (this.#queued > QUEUE_LIMIT) this.#socket.pause()
    this.#turn = this.#turn.then(() => this.#handle(data, isBinary)).then(() => this.#done())
  }

  #done(): void {
    this.#queued -= 1
    if (this.#socket.isPaused && this.#queued < QUEUE_LIMIT) this.#socket.resume()
  }

  async #handle(data: RawData, isBinary: boolean): Promise<void> {
    if (!this.isOpen) return
    const text = data.toString()
    const re = isBinary ? undefined : numberOf(text)
    try {
      if (isBinary) throw notText()
      this.#checkOrder(re)
      await this.#take(text, re)
    } catch (error) {
      this.#answer(error, re)
    }
  }

  #answer(error: unknown, re: number | undefined): void {
    if (!(error instanceof Fault)) {
      this.#bug(error)
      this.close(INTERNAL_ERROR, "the marketplace met an unexpected error")
      return
    }
    this.refuse(error, re)
    if (error.code === "frame-not-json" || error.code === "message-out-of-order")
      this.close(POLICY_VIOLATION, error.code)
  }

  /** A frame whose number cannot be read is refused for its form and does not count. */
  #checkOrder(seq: number | undefined): void {
    if (seq === undefined) return
    if (seq !== this.#received + 1) {
      throw new Fault("message-out-of-order", `Message ${seq} came where ${this.#received + 1} was due.`, {
        hint: "Number the messages of a connection 1, 2, 3 and so on.",
        facts: { seq, due: this.#received + 1 },
      })
    }
    this.#received = seq
  }
}

function numberOf(text: string): number | undefined {
  try {
    return Numbered.safeParse(JSON.parse(text)).data?.seq
  } catch {
    return undefined
  }
}

function notText(): Fault {
  return new Fault("frame-not-json", "A frame is binary.", {
    hint: "Speak zg.v1: one JSON object in each text frame.",
  })
}
