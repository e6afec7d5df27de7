import type { IncomingMessage, Server } from "node:http"
import type { Duplex } from "node:stream"
import type { Logger } from "pino"
import { type WebSocket, WebSocketServer } from "ws"
import { Fault } from "../../protocol/fault.ts"
import { FRAME_LIMIT_BYTES, SUBPROTOCOL } from "../../protocol/message.ts"
import type { Exchange } from "../book/exchange.ts"
import { converse } from "./conversation.ts"
import type { Session } from "./session.ts"

const PING_EVERY_MS = 15_000
const GOING_AWAY = 1001
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
  const sessions = new Set<Session>()
  /** Those that have not answered the last ping. */
  const silent = new WeakSet<WebSocket>()
  http.on("upgrade", (request, stream, head) => {
    const refusal = refusalOf(request)
    if (refusal) return turnAway(stream, refusal)
    sockets.handleUpgrade(request, stream, head, socket => {
      watchOver(socket, silent, exchange.log)
      const session = converse(socket, request.headers.host ?? "", exchange)
      sessions.add(session)
      socket.once("close", () => session.idle.finally(() => sessions.delete(session)))
    })
  })
  const pinging = setInterval(() => {
    for (const socket of sockets.clients) ping(socket, silent)
  }, PING_EVERY_MS)
  pinging.unref()
  return {
    close: async () => {
      clearInterval(pinging)
      await closeAll(sockets)
      await Promise.all([...sessions].map(session => session.idle))
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

function watchOver(socket: WebSocket, silent: WeakSet<WebSocket>, log: Logger): void {
  socket.on("pong", () => silent.delete(socket))
  // An oversized or broken frame: ws answers with its close code, nothing is left to do.
  socket.on("error", error => log.debug({ event: "socket.error", message: error.message }))
}

function ping(socket: WebSocket, silent: WeakSet<WebSocket>): void {
  if (silent.has(socket)) {
    socket.terminate()
  } else {
    silent.add(socket)
    socket.ping()
  }
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
