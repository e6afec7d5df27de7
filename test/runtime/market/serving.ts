import { pino } from "pino"
import type {
  ClientMessage,
  Held,
  MarketFrame,
  MarketFrameOf,
  MarketType,
} from "../../../src/protocol/message.ts"
import { Link } from "../../../src/runtime/market/link.ts"
import type { Session } from "../../../src/runtime/market/session.ts"
import type { Identity } from "../../contract/client.ts"
import type { slotFor } from "../../contract/work.ts"

const ANSWER_LIMIT_MS = 20_000

/** A link that is kept, with what was heard on it: all of an agent but the work. */
export class Serving {
  readonly link: Link
  readonly sessions: Session[] = []
  holding: Held[] = []
  readonly #inbox: MarketFrame[] = []
  #stir = Promise.withResolvers<void>()
  readonly #control = new AbortController()
  readonly #kept: Promise<void>

  constructor(url: string, identity: Identity, slots: ReturnType<typeof slotFor>[], silenceMs?: number) {
    const log = pino({ level: process.env.ZG_TEST_LOG ?? "silent" }, pino.destination(2))
    const options = { url, signer: identity, agent: "test", pinned: null }
    this.link = new Link({ ...options, ...(silenceMs !== undefined && { silenceMs }) }, log)
    this.#kept = this.link.keep(session => {
      this.sessions.push(session)
      session.wire.listen(frame => {
        this.#inbox.push(frame)
        this.#stir.resolve()
        this.#stir = Promise.withResolvers()
      })
      session.wire.tell({ type: "capacity", slots, holding: this.holding })
    }, this.#control.signal)
  }

  get signal(): AbortSignal {
    return AbortSignal.any([this.#control.signal, AbortSignal.timeout(ANSWER_LIMIT_MS)])
  }

  request<Type extends MarketType>(message: ClientMessage, type: Type): Promise<MarketFrameOf<Type>> {
    return this.link.request(message, type, this.signal)
  }

  /** The next frame of this type that is no answer. */
  async next<Type extends MarketType>(type: Type): Promise<MarketFrameOf<Type>> {
    const late = AbortSignal.timeout(ANSWER_LIMIT_MS)
    for (;;) {
      const index = this.#inbox.findIndex(frame => frame.type === type)
      const [found] = index < 0 ? [] : this.#inbox.splice(index, 1)
      if (found) return found as MarketFrameOf<Type>
      const over = new Promise((_, reject) =>
        late.addEventListener("abort", () => reject(new Error(`no ${type} in time`)), { once: true }),
      )
      await Promise.race([this.#stir.promise, over])
    }
  }

  /** Accepts the next offer. */
  async take(): Promise<MarketFrameOf<"lease">> {
    const { offer } = await this.next("offer")
    return this.link.requestOnce({ type: "accept", offer }, "lease", this.signal)
  }

  async stop(): Promise<void> {
    this.#control.abort()
    await this.#kept
  }
}
