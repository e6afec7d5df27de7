import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** What becomes of an answer on its way; null lets it pass, and nothing at all is a file that is not there. */
export type Spoil = (path: string, body: Buffer) => Buffer | null

/** Stands before a marketplace's pages at an address of its own, and changes what it is told to. */
export class Spoiling {
  spoil: Spoil = () => null
  readonly #server = createServer()
  readonly #target: string

  private constructor(target: string) {
    this.#target = target
    this.#server.on("request", async (request, response) => {
      const path = request.url ?? "/"
      const answer = await fetch(`${this.#target}${path}`)
      const body = Buffer.from(await answer.arrayBuffer())
      const kept = ["content-type", "content-security-policy"]
      const headers = kept.flatMap(name => {
        const value = answer.headers.get(name)
        return value === null ? [] : [[name, value]]
      })
      const spoilt = this.spoil(path, body)
      const status = spoilt === null ? answer.status : spoilt.length === 0 ? 404 : 200
      response.writeHead(status, Object.fromEntries(headers)).end(spoilt ?? body)
    })
  }

  static async before(target: string): Promise<Spoiling> {
    const spoiling = new Spoiling(target)
    spoiling.#server.listen(0, "127.0.0.1")
    await once(spoiling.#server, "listening")
    return spoiling
  }

  get http(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
