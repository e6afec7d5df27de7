import type { IncomingMessage, Server } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { Fault } from "../../protocol/fault.ts"
import { FRAME_LIMIT_BYTES, SUBPROTOCOL } from "../../protocol/message.ts"
import type { Exchange } from "../book/exchange.ts"
import { type Connection, GOING_AWAY } from "./connection.ts"
import { converse } from "./conversation.ts"
import { watchOver } from "./heartbeat.ts"
import { Sessions } from "./sessions.ts"

const PING_EVERY_MS = 15_000
/** How long `close` waits for the clients' goodbyes. */
const GOODBYE_LIMIT_MS = 1_000

export interface Gateway {
  /** Says goodbye to everybody; resolves when what had been asked before is done. */
  close(): Promise<void>
}

/** Takes WebSocket connections at `/` of an HTTP server. */
export function openGateway(http: Server, exchange: Exchange): Gateway {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: FRAME_LIMIT_BYTES,
    perMessageDeflate: false,
    handleProtocols: () => SUBPROTOCOL,
  })
  const sessions = new Sessions()
  const connections = new Set<Connection>()
  http.on("upgrade", (request, stream, head) => {
    const refusal = refusalOf(request)
    if (refusal) return turnAway(stream, refusal)
    sockets.handleUpgrade(request, stream, head, socket => {
      // An oversized or broken frame: ws answers with its close code, nothing is left to do.
      socket.on("error", error => exchange.log.debug({ event: "socket.error", message: error.message }))
      const connection = converse(socket, { host: request.headers.host ?? "", exchange, sessions })
      connections.add(connection)
      socket.once("close", () => connection.idle.finally(() => connections.delete(connection)))
    })
  })
  const stopWatching = watchOver(sockets, PING_EVERY_MS)
  return {
    close: async () => {
      stopWatching()
      await closeAll(sockets)
      await Promise.all([...connections].map(connection => connection.idle))
      sessions.close()
    },
  }
}

function refusalOf({ url, headers }: IncomingMessage): Fault | null {
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map(name => name.trim())
  if (url === "/" && offered.includes(SUBPROTOCOL)) return null
  const message = url === "/" ? `This marketplace speaks ${SUBPROTOCOL} only.` : `There is nothing at ${url}.`
  return new Fault("protocol-mismatch", message, { hint: "Use the same version of zg-agent on both ends." })
}

function turnAway(stream: Duplex, { code, message, hint }: Fault): void {
  const body = JSON.stringify({ code, message, hint })
  stream.on("error", () => stream.destroy())
  stream.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

async function closeAll(sockets: WebSocketServer): Promise<void> {
  for (const socket of sockets.clients) socket.close(GOING_AWAY, "the marketplace stops")
  const late = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate()
  }, GOODBYE_LIMIT_MS)
  const gone = [...sockets.clients].map(socket => new Promise(resolve => socket.once("close", resolve)))
  await Promise.all(gone)
  clearTimeout(late)
  sockets.close()
}
