import type { WebSocket, WebSocketServer } from "ws"

/**
 * Pings every client each `everyMs`, and drops those that have not answered by the next ping: a half-open socket is noticed after
 * two intervals at most, counted from its last answer.
 * @returns how to stop that.
 */
export function watchOver(sockets: WebSocketServer, everyMs: number): () => void {
  const silent = new WeakSet<WebSocket>()
  const ping = (socket: WebSocket) => {
    if (silent.has(socket)) return socket.terminate()
    silent.add(socket)
    socket.once("pong", () => silent.delete(socket))
    socket.ping()
  }
  const pinging = setInterval(() => {
    for (const socket of sockets.clients) ping(socket)
  }, everyMs).unref()
  return () => clearInterval(pinging)
}
