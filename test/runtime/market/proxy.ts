import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/** What becomes of a chunk: it goes on as it is or shortened, or (null) nobody ever sees it. */
type Rule = (chunk: Buffer) => Buffer | null

const PASS: Rule = chunk => chunk
const SWALLOW: Rule = () => null

interface Pipe {
  client: Socket
  market: Socket
  up: Rule
  down: Rule
}

/** A TCP proxy in front of a marketplace, which cuts, holds and swallows what goes through. */
export class TcpProxy {
  readonly #server: Server
  readonly #target: number
  readonly #pipes = new Set<Pipe>()
  #down: Rule = PASS
  /** How long each chunk takes in either direction. */
  delayMs: () => number = () => 0
  dialled = 0

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    server.on("connection", client => this.#pipe(client))
  }

  static async before(url: string): Promise<TcpProxy> {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    return new TcpProxy(server, Number(new URL(url).port))
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends every connection at once, at both ends. */
  cut(): void {
    for (const { client, market } of this.#pipes) {
      client.destroy()
      market.destroy()
    }
  }

  /** What the connections of this moment carry is swallowed from now on, and neither end hears of it; later ones work. */
  deafen(): { closed: Promise<unknown> } {
    const pipes = [...this.#pipes]
    for (const pipe of pipes) Object.assign(pipe, { up: SWALLOW, down: SWALLOW })
    return { closed: Promise.all(pipes.map(({ market }) => once(market, "close"))) }
  }

  /** Swallows what clients say on the connections of this moment. */
  swallowUp(): void {
    for (const pipe of this.#pipes) pipe.up = SWALLOW
  }

  /**
   * Cuts all connections when the marketplace says something with `text` in it, of which only the given share arrives. Resolves then.
   */
  cutAt(text: string, { share = 0 } = {}): Promise<void> {
    const struck = Promise.withResolvers<void>()
    this.#down = chunk => {
      if (!chunk.includes(text)) return chunk
      this.#down = PASS
      setImmediate(() => {
        this.cut()
        struck.resolve()
      })
      return chunk.subarray(0, Math.floor(chunk.length * share))
    }
    return struck.promise
  }

  /** Swallows the next thing that the marketplace says with `text` in it; all else goes on. Resolves then. */
  lose(text: string): Promise<void> {
    const lost = Promise.withResolvers<void>()
    this.#down = chunk => {
      if (!chunk.includes(text)) return chunk
      this.#down = PASS
      lost.resolve()
      return null
    }
    return lost.promise
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cut()
    await once(this.#server, "close")
  }

  #pipe(client: Socket): void {
    this.dialled += 1
    const market = connect(this.#target, "127.0.0.1")
    const pipe: Pipe = { client, market, up: PASS, down: chunk => this.#down(chunk) }
    this.#pipes.add(pipe)
    this.#carry(client, market, chunk => pipe.up(chunk))
    this.#carry(market, client, chunk => pipe.down(chunk))
    // A deaf pipe does not even carry the end of a connection.
    const end = (socket: Socket, other: Socket) => {
      socket.on("error", () => {})
      socket.once("close", () => {
        if (pipe.up !== SWALLOW || pipe.down !== SWALLOW) other.destroy()
        if (client.destroyed && market.destroyed) this.#pipes.delete(pipe)
      })
    }
    end(client, market)
    end(market, client)
  }

  #carry(from: Socket, to: Socket, rule: Rule): void {
    let turn = Promise.resolve()
    from.on("data", chunk => {
      const left = rule(chunk)
      if (left === null || left.length === 0) return
      const ms = this.delayMs()
      if (ms === 0) return void (to.writable && to.write(left))
      turn = turn.then(async () => {
        await new Promise(resolve => setTimeout(resolve, ms))
        if (to.writable) to.write(left)
      })
    })
  }
}
