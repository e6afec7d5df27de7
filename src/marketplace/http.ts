import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Logger } from "pino"
import type { Explorer } from "./explorer/explorer.ts"
import { LEDGER_PREFIX, serveLedger } from "./ledger/serve.ts"
import type { Registry } from "./registry/call.ts"
import { serveRegistry } from "./registry/registry.ts"
import { serveSpeed } from "./speed.ts"

/** A connection that moves no byte for this long is closed; a slow upload may take as long as it likes. */
const STALL_LIMIT_MS = 120_000

/** What is answered over plain HTTP. */
export interface Site {
  registry: Registry
  /** Where the ledger is published. */
  ledgerFolder: string
  /** Null where there are no pages for people. */
  explorer: Explorer | null
}

/**
 * Answers plain HTTP: the registry under `/v2/`, the ledger under `/ledger/`, `/speed` for measurements, `/healthz` for supervisors, and everything
 * else by the explorer's pages.
 * @param opening resolves when there is something to answer from: who asks earlier waits.
 * @returns a function that resolves when every request taken so far is done.
 */
export function serveHttp(http: Server, opening: Promise<Site>, log: Logger): () => Promise<void> {
  const pending = new Set<Promise<void>>()
  http.requestTimeout = 0
  http.setTimeout(STALL_LIMIT_MS)
  http.on("request", (request, response) => {
    const done = opening
      .then(site => answer(site, request, response))
      .catch(error => {
        log.error({ event: "http.bug", url: request.url, err: error })
        response.destroy()
      })
      .finally(() => pending.delete(done))
    pending.add(done)
  })
  return async () => {
    await Promise.all(pending)
  }
}

async function answer(
  { registry, ledgerFolder, explorer }: Site,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // It came before the gateway was open, and is no connection: the client tries again.
  if (request.headers.upgrade !== undefined) {
    response.writeHead(503, { Connection: "close" }).end()
    return
  }
  const { pathname } = new URL(request.url ?? "/", "http://market")
  if (pathname === "/v2" || pathname.startsWith("/v2/")) return serveRegistry(registry, request, response)
  if (pathname.startsWith(LEDGER_PREFIX)) return serveLedger(ledgerFolder, request, response)
  if (pathname === "/speed") return serveSpeed(registry, request, response)
  if (explorer !== null && pathname !== "/healthz") return explorer.serve(request, response)
  const [status, body] = pathname === "/healthz" ? [200, "ok\n"] : [404, "Connect to / by WebSocket.\n"]
  response.writeHead(status, { "Content-Type": "text/plain" }).end(body)
}
