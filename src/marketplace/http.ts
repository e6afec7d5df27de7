import type { IncomingMessage, Server, ServerResponse } from "node:http"
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
}

/**
 * Answers plain HTTP: the registry under `/v2/`, the ledger under `/ledger/`, `/speed` for measurements, and `/healthz` for supervisors.
 * @returns a function that resolves when every request taken so far is done.
 */
export function serveHttp(http: Server, site: Site): () => Promise<void> {
  const pending = new Set<Promise<void>>()
  http.requestTimeout = 0
  http.setTimeout(STALL_LIMIT_MS)
  http.on("request", (request, response) => {
    const done = answer(site, request, response)
      .catch(error => {
        site.registry.log.error({ event: "http.bug", url: request.url, err: error })
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
  { registry, ledgerFolder }: Site,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://market")
  if (pathname === "/v2" || pathname.startsWith("/v2/")) return serveRegistry(registry, request, response)
  if (pathname.startsWith(LEDGER_PREFIX)) return serveLedger(ledgerFolder, request, response)
  if (pathname === "/speed") return serveSpeed(registry, request, response)
  const [status, body] = pathname === "/healthz" ? [200, "ok\n"] : [404, "Connect to / by WebSocket.\n"]
  response.writeHead(status, { "Content-Type": "text/plain" }).end(body)
}
