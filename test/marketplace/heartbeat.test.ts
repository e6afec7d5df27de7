import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { expect, test } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { watchOver } from "../../src/marketplace/gateway/heartbeat.ts"

test("a client that answers no ping is dropped without a goodbye, and one that answers stays", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  await once(server, "listening")
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  const [deaf, alive] = [new WebSocket(url, { autoPong: false }), new WebSocket(url)]
  await Promise.all([once(deaf, "open"), once(alive, "open")])
  const stop = watchOver(server, 50)
  const [code] = await once(deaf, "close")
  expect(code).toBe(1006)
  await once(alive, "ping")
  expect(alive.readyState).toBe(WebSocket.OPEN)
  stop()
  alive.close()
  await once(alive, "close")
  server.close()
})
