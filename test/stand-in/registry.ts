import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { digestOf } from "../../src/protocol/digest.ts"

/** What a request meets instead of an answer: a broken connection after so many bytes, or another status. */
export type Mishap = { cutAfter: number } | { status: number; body?: string } | { lie: Buffer }

export interface RegistryOptions {
  token?: string
  /** False for a server that sends the whole blob whatever range was asked for. */
  ranges?: boolean
  mishap?: (request: { method: string; path: string; count: number }) => Mishap | null
}

/** A small OCI registry over real HTTP that can be told to fail. */
export class StandInRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Buffer>()
  readonly requests: { method: string; path: string; range: string | undefined; authorization: string }[] = []
  readonly #server: Server
  readonly #uploads = new Map<string, Buffer>()
  readonly #options: RegistryOptions

  private constructor(options: RegistryOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
  }

  static async start(options: RegistryOptions = {}): Promise<StandInRegistry> {
    const registry = new StandInRegistry(options)
    await new Promise<void>(resolve => registry.#server.listen(0, "127.0.0.1", resolve))
    return registry
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get url(): string {
    return `http://${this.host}`
  }

  put(bytes: Buffer): string {
    const digest = digestOf(bytes)
    this.blobs.set(digest, bytes)
    return digest
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url)
    const { method = "GET" } = request
    const { range, authorization = "" } = request.headers
    this.requests.push({ method, path: url.pathname, range, authorization })
    const mishap = this.#options.mishap?.({ method, path: url.pathname, count: this.requests.length }) ?? null
    if (mishap && "status" in mishap) return void response.writeHead(mishap.status).end(mishap.body ?? "")
    if (!this.#allows(authorization)) {
      return void response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end()
    }
    if (url.pathname === "/v2/") return void response.writeHead(200).end("{}")
    if (url.pathname.includes("/blobs/uploads/")) return this.#upload(request, response, url, mishap)
    // As in many a registry, there is no referrers endpoint.
    if (url.pathname.includes("/referrers/")) return void response.writeHead(404).end()
    this.#serve(request, response, url.pathname.split("/").at(-1) ?? "", mishap)
  }

  /** A client's bearer token, or the password of an engine's login. */
  #allows(authorization: string): boolean {
    const { token } = this.#options
    if (token === undefined) return true
    const [scheme, value = ""] = authorization.split(" ")
    const given = scheme === "Basic" ? Buffer.from(value, "base64").toString().split(":")[1] : value
    return given === token
  }

  #serve(request: IncomingMessage, response: ServerResponse, digest: string, mishap: Mishap | null): void {
    const whole = mishap && "lie" in mishap ? mishap.lie : this.blobs.get(digest)
    if (whole === undefined) return void response.writeHead(404).end()
    const start =
      this.#options.ranges === false
        ? 0
        : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0)
    const bytes = whole.subarray(start)
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": bytes.length,
      "content-type": request.url?.includes("/manifests/") ? mediaTypeOf(whole) : "application/octet-stream",
      "docker-content-digest": digest,
      ...(start > 0 ? { "content-range": `bytes ${start}-${whole.length - 1}/${whole.length}` } : {}),
    })
    if (request.method === "HEAD") return void response.end()
    if (mishap && "cutAfter" in mishap) {
      // A while later, because a client throws away what it had not read yet when a connection breaks.
      response.write(bytes.subarray(0, mishap.cutAfter))
      return void setTimeout(() => response.destroy(), 30)
    }
    response.end(bytes)
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    mishap: Mishap | null,
  ): Promise<void> {
    const id = request.method === "POST" ? crypto.randomUUID() : (url.pathname.split("/").at(-1) ?? "")
    if (request.method === "POST") this.#uploads.set(id, Buffer.alloc(0))
    let held = this.#uploads.get(id)
    if (held === undefined) return void response.writeHead(404).end()
    const cutAfter = mishap && "cutAfter" in mishap ? mishap.cutAfter : Number.POSITIVE_INFINITY
    const pieces: Buffer[] = []
    let size = 0
    for await (const piece of request as AsyncIterable<Buffer>) {
      pieces.push(piece.subarray(0, cutAfter - size))
      size += piece.length
      if (size >= cutAfter) break
    }
    const from = Number(request.headers["content-range"]?.split("-")[0] ?? held.length)
    if (from !== held.length) return void response.writeHead(416).end()
    held = Buffer.concat([held, ...pieces])
    this.#uploads.set(id, held)
    if (size >= cutAfter) return void response.destroy()
    if (request.method === "PUT") return this.#close(response, id, held, url.searchParams.get("digest") ?? "")
    response
      .writeHead(request.method === "GET" ? 204 : 202, {
        location: `/v2/zg/blobs/uploads/${id}`,
        range: `0-${Math.max(0, held.length - 1)}`,
      })
      .end()
  }

  #close(response: ServerResponse, id: string, held: Buffer, digest: string): void {
    if (digestOf(held) !== digest) {
      return void response.writeHead(400).end(JSON.stringify({ errors: [{ code: "DIGEST_INVALID" }] }))
    }
    this.#uploads.delete(id)
    this.blobs.set(digest, held)
    response.writeHead(201, { location: `/v2/zg/blobs/${digest}` }).end()
  }
}

function mediaTypeOf(bytes: Buffer): string {
  if (bytes[0] !== 0x7b) return "application/octet-stream"
  const { mediaType } = JSON.parse(bytes.toString()) as { mediaType?: string }
  return mediaType ?? "application/octet-stream"
}
