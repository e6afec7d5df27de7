import { Delivery } from "./delivery.ts"

/** Puts a text on the socket of the moment. */
export type Transmit = (text: string) => void

/** An acknowledgement that no other frame carries goes by itself: after this many frames, or after this long. */
const ACK_FRAMES = 64
const ACK_DELAY_MS = 1000

/** One end of a session, the same in the client and in the marketplace: what is sent while there is no socket goes on the next one. */
export class Channel {
  readonly #delivery = new Delivery()
  #transmit: Transmit | null = null
  #ackTimer: NodeJS.Timeout | undefined

  /** The highest number received in order. */
  get received(): number {
    return this.#delivery.received
  }

  /** Whether the session can go on with an end that has received so far. */
  reaches(received: number): boolean {
    return this.#delivery.reaches(received)
  }

  /** Goes on over a socket, sending again what the other end lacks. Only where it {@link reaches}. */
  attach(transmit: Transmit, received: number): void {
    this.#transmit = transmit
    for (const text of this.#delivery.after(received)) transmit(text)
  }

  detach(): void {
    this.#transmit = null
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
  }

  /** Sends a message that must arrive, or keeps it for the next socket; gives its number. */
  send(message: object, re?: number): number {
    const { seq, text } = this.#delivery.next(message, re)
    this.#put(text)
    return seq
  }

  /** Sends what may be lost. */
  pass(message: object): void {
    if (this.#transmit) this.#put(this.#delivery.passing(message))
  }

  /** Takes the numbers of a frame that arrived; whether it is new. Throws as {@link Delivery.take}. */
  take(numbers: { seq: number; ack?: number | undefined }): boolean {
    const isNew = this.#delivery.take(numbers)
    const { unacknowledged } = this.#delivery
    if (unacknowledged >= ACK_FRAMES) this.#acknowledge()
    else if (unacknowledged > 0)
      this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_DELAY_MS).unref()
    return isNew
  }

  #acknowledge(): void {
    this.pass({ type: "ack" })
  }

  #put(text: string): void {
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
    this.#transmit?.(text)
  }
}
