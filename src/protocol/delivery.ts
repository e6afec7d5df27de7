import { Fault } from "./fault.ts"

/** Numbers 1 and 2 of each direction are the handshake's, on every socket anew; a session's own frames follow. */
export const HANDSHAKE_FRAMES = 2

/** What is kept for the other end beyond this is forgotten, oldest first: the session then ends with its socket. */
export const KEPT_FRAMES_LIMIT = 512
export const KEPT_BYTES_LIMIT = 4 << 20

interface Kept {
  seq: number
  text: string
  bytes: number
}

/**
 * One end's account of a session: what it has sent and the other end has not acknowledged yet, and how far it has received. It
 * outlives the sockets, so that every numbered frame arrives once and in order however often the connection is lost.
 */
export class Delivery {
  #sent = HANDSHAKE_FRAMES
  #received = HANDSHAKE_FRAMES
  /** The acknowledgement that the last frame from here carried. */
  #told = HANDSHAKE_FRAMES
  #kept: Kept[] = []
  #keptBytes = 0

  /** The highest number received in order. */
  get received(): number {
    return this.#received
  }

  /** How many frames were received that the other end does not know of. */
  get unacknowledged(): number {
    return this.#received - this.#told
  }

  /** Numbers a frame, keeps it until it is acknowledged, and gives its number and its text. */
  next(message: object, re?: number): { seq: number; text: string } {
    this.#sent += 1
    const text = this.#write(message, this.#sent, re)
    this.#keep({ seq: this.#sent, text, bytes: Buffer.byteLength(text) })
    return { seq: this.#sent, text }
  }

  /** The text of a frame without a number: it is not kept, and lost with its socket. */
  passing(message: object): string {
    return this.#write(message, 0)
  }

  /**
   * Takes the numbers of a frame that arrived; whether it is new, and not one that was received already.
   * @throws Fault `message-out-of-order` for a gap, or for the acknowledgement of a frame that was never sent.
   */
  take({ seq, ack }: { seq: number; ack?: number | undefined }): boolean {
    if (ack !== undefined) this.#acknowledge(ack)
    if (seq === 0) return true
    if (seq <= this.#received) return false
    if (seq !== this.#received + 1) throw outOfOrder(seq, this.#received + 1)
    this.#received = seq
    return true
  }

  /** Whether everything is still here that the other end lacks when it has received up to `received`. */
  reaches(received: number): boolean {
    return received <= this.#sent && received >= (this.#kept[0]?.seq ?? this.#sent + 1) - 1
  }

  /** What to send again on a new socket, in order. Only where it {@link reaches}. */
  after(received: number): string[] {
    this.#acknowledge(received)
    return this.#kept.map(({ text }) => text)
  }

  #write(message: object, seq: number, re?: number): string {
    this.#told = this.#received
    const ack = this.#received > HANDSHAKE_FRAMES ? this.#received : undefined
    return JSON.stringify({ ...message, seq, re, ack })
  }

  #keep(frame: Kept): void {
    this.#kept.push(frame)
    this.#keptBytes += frame.bytes
    while (this.#kept.length > KEPT_FRAMES_LIMIT || this.#keptBytes > KEPT_BYTES_LIMIT) this.#drop()
  }

  /** Frames that are sent again repeat their old acknowledgement, so a lower one than before says nothing new. */
  #acknowledge(ack: number): void {
    if (ack > this.#sent) throw neverSent(ack, this.#sent)
    while ((this.#kept[0]?.seq ?? Number.POSITIVE_INFINITY) <= ack) this.#drop()
  }

  #drop(): void {
    this.#keptBytes -= this.#kept.shift()?.bytes ?? 0
  }
}

function outOfOrder(seq: number, due: number): Fault {
  return new Fault("message-out-of-order", `Message ${seq} came where ${due} was due.`, {
    hint: "Number the messages of a session one after the other; the connection is dialled again.",
    facts: { seq, due },
  })
}

function neverSent(ack: number, sent: number): Fault {
  return new Fault("message-out-of-order", `Message ${ack} was acknowledged and only ${sent} were sent.`, {
    hint: "Acknowledge the highest number received; the connection is dialled again.",
    facts: { ack, sent },
  })
}
