import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket, connect as tcp } from "node:net"

/** How long a piece of data is kept back, in milliseconds. */
export type Delay = () => number

interface Pair {
  agent: Socket
  market: Socket
  /** Neither end hears of the other any more, and neither is told. */
  silent: boolean
}

/** The network between an agent and its marketplace: one TCP port in front of another, whose faults the harness chooses. */
export class Network {
  readonly #server: Server
  readonly #target: number
  #pairs = new Set<Pair>()
  #isCut = false
  #toAgent: Delay = () => 0
  #toMarket: Delay = () => 0

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    server.on("connection", socket => this.#accept(socket))
  }

  /** @param target the marketplace's port on this machine. */
  static async open(target: number): Promise<Network> {
    const server = createServer({ allowHalfOpen: true })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return new Network(server, target)
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Breaks every connection and refuses new ones. */
  cut(): void {
    this.#isCut = true
    for (const { agent, market } of this.#pairs) {
      agent.resetAndDestroy()
      market.resetAndDestroy()
    }
  }

  /** Connections of now go silent, as when a router forgets them; new ones are as always. */
  silence(): void {
    for (const pair of this.#pairs) pair.silent = true
  }

  delay(toAgent: Delay, toMarket: Delay = toAgent): void {
    this.#toAgent = toAgent
    this.#toMarket = toMarket
  }

  /** As it was in the beginning. What went silent is broken now. */
  heal(): void {
    this.#isCut = false
    this.delay(() => 0)
    for (const pair of [...this.#pairs].filter(({ silent }) => silent)) this.#part(pair)
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, "close")
  }

  #accept(agent: Socket): void {
    agent.on("error", () => {})
    if (this.#isCut) {
      agent.resetAndDestroy()
      return
    }
    const market = tcp({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true })
    const pair: Pair = { agent, market, silent: false }
    this.#pairs.add(pair)
    market.on("error", () => pair.silent || agent.resetAndDestroy())
    agent.on("error", () => pair.silent || market.resetAndDestroy())
    this.#carry(pair, agent, market, () => this.#toMarket())
    this.#carry(pair, market, agent, () => this.#toAgent())
  }

  /** Keeps the order of the pieces, however long each takes: this is TCP, where a lost packet shows as a pause. */
  #carry(pair: Pair, from: Socket, to: Socket, delay: Delay): void {
    let due = 0
    const later = (deliver: () => void) => {
      due = Math.max(due, Date.now() + delay())
      const waitMs = due - Date.now()
      const unlessSilent = () => pair.silent || to.destroyed || deliver()
      if (waitMs <= 0) unlessSilent()
      else setTimeout(unlessSilent, waitMs)
    }
    from.on("data", piece => later(() => to.write(piece)))
    from.on("end", () => later(() => to.end()))
    from.on("close", () => {
      if (pair.silent) return
      later(() => to.destroySoon())
      if (pair.agent.destroyed && pair.market.destroyed) this.#pairs.delete(pair)
    })
  }

  #part(pair: Pair): void {
    pair.agent.destroy()
    pair.market.destroy()
    this.#pairs.delete(pair)
  }
}
