import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { Connection } from "../../../src/runtime/market/connection.ts"

/** Something that speaks HTTP alone, and answers every request like this. */
async function answering(status: number): Promise<string> {
  const http = createServer((_, response) => response.writeHead(status).end())
  http.on("upgrade", (_, socket) => socket.end(`HTTP/1.1 ${status} X\r\nConnection: close\r\n\r\n`))
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  onTestFinished(() => {
    http.close()
  })
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}`
}

test.each([
  ["a marketplace that is starting", 503, "market-unreachable"],
  ["a proxy whose marketplace is away", 502, "market-unreachable"],
  ["a web server that is no marketplace", 404, "protocol-mismatch"],
])(
  "%s, which answers with %i, is %s: agents dial again only where that can help",
  async (_, status, code) => {
    const url = await answering(status)
    await expect(Connection.dial(url, AbortSignal.timeout(10_000))).rejects.toMatchObject({ code })
  },
)
