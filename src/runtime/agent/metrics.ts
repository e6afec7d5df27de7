import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Logger } from "pino"
import { listen } from "../host/listen.ts"
import type { MetricsReport } from "./metrics/report.ts"
import { metricsText } from "./metrics/text.ts"

export const METRICS_HOST = "127.0.0.1"
export const METRICS_PORT = 9464

/** A scrape is short; a connection that says nothing for longer is closed. */
const REQUEST_LIMIT_MS = 10_000
const CONNECTIONS_LIMIT = 32

export interface MetricsOptions {
  host?: string
  /** 0 takes any free one. */
  port?: number
  /** NVIDIA cards also in dcgm-exporter's names. */
  dcgm?: boolean
  /** Called for each scrape. */
  collect: () => MetricsReport
  log: Logger
}

export interface MetricsEndpoint {
  /** Such as `http://127.0.0.1:9464/metrics`. */
  url: string
  /** Settles when the port is free again. */
  close(): Promise<void>
}

/**
 * Answers `GET /metrics` in Prometheus's text format until it is closed or the signal aborts. It asks nobody who they are and looks
 * at no Host header: whoever reaches the address may read, and nothing can be changed here, so a page in a browser that is
 * led here by a false name (DNS rebinding) learns what is told here and no more.
 * @throws Fault `port-in-use`, `address-unusable`.
 */
export async function openMetrics(options: MetricsOptions, signal: AbortSignal): Promise<MetricsEndpoint> {
  const { host = METRICS_HOST, port = METRICS_PORT, log } = options
  signal.throwIfAborted()
  const server = createServer((request, response) => {
    answer(request, response, options).catch(error => {
      log.error({ err: error }, "metrics.bug")
      response.destroy()
    })
  })
  server.requestTimeout = REQUEST_LIMIT_MS
  server.maxConnections = CONNECTIONS_LIMIT
  const url = `${await listen(server, host, port)}/metrics`
  const close = async () => {
    signal.removeEventListener("abort", close)
    if (!server.listening) return
    const closed = once(server, "close")
    server.close()
    server.closeAllConnections()
    await closed
  }
  signal.addEventListener("abort", close)
  log.info({ url }, "metrics.open")
  return { url, close }
}

async function answer(
  { method, url = "/" }: IncomingMessage,
  response: ServerResponse,
  { collect, dcgm = false }: MetricsOptions,
): Promise<void> {
  const [path] = url.split("?")
  if (path !== "/metrics") return refuse(response, 404, "The metrics are at /metrics.\n")
  if (method !== "GET") return refuse(response.setHeader("Allow", "GET"), 405, "Only GET is answered here.\n")
  const { text, contentType } = await metricsText(collect(), dcgm)
  response.writeHead(200, { "Content-Type": contentType, "Cache-Control": "no-store" }).end(text)
}

function refuse(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { "Content-Type": "text/plain" }).end(words)
}
