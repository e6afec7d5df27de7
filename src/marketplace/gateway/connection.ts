import type { RawData, WebSocket } from "ws"

/** Close codes (RFC 6455, 7.4.1). */
export const GOING_AWAY = 1001
/** Never sent: the socket ended without a goodbye. */
export const ABNORMAL = 1006
export const POLICY_VIOLATION = 1008
export const INTERNAL_ERROR = 1011

/** A peer that reads so slowly that this much waits for it is dropped. */
const UNREAD_LIMIT_BYTES = 16 << 20
/** Frames that may wait for their turn before the socket is paused. */
const QUEUE_LIMIT = 32

/** One WebSocket: its frames are taken one after the other. */
export class Connection {
  readonly #socket: WebSocket
  readonly #take: (text: string, isBinary: boolean) => Promise<void>
  #queued = 0
  #turn: Promise<void> = Promise.resolve()

  /** @param take must not reject. */
  constructor(socket: WebSocket, take: (text: string, isBinary: boolean) => Promise<void>) {
    this.#socket = socket
    this.#take = take
    socket.on("message", (data, isBinary) => this.#enqueue(data, isBinary))
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  /** Resolves when every frame that came so far has been taken. */
  get idle(): Promise<void> {
    return this.#turn
  }

  send(text: string): void {
    if (!this.isOpen) return
    this.#socket.send(text)
    if (this.#socket.bufferedAmount > UNREAD_LIMIT_BYTES) this.#socket.terminate()
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  /** Ends it without a goodbye: nobody listens there any more. */
  drop(): void {
    this.#socket.terminate()
  }

  #enqueue(data: RawData, isBinary: boolean): void {
    this.#queued += 1
    if (this.#queued > QUEUE_LIMIT) this.#socket.pause()
    this.#turn = this.#turn.then(() => this.#take(data.toString(), isBinary)).then(() => this.#done())
  }

  #done(): void {
    this.#queued -= 1
    if (this.#socket.isPaused && this.#queued < QUEUE_LIMIT) this.#socket.resume()
  }
}
