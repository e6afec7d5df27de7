import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { parseTilePath } from "../../protocol/tlog/tile.ts"

/** Where a ledger is, below a marketplace's address. */
export const LEDGER_PREFIX = "/ledger/"

const A_YEAR = "public, max-age=31536000, immutable"
const SECONDS = "public, max-age=2"

/** The ledger's files, for everybody: `GET /ledger/checkpoint` and `/ledger/tile/…` (C2SP tlog-tiles). */
export async function serveLedger(
  folder: string,
  { method, url = "/" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(url, "http://market").pathname.slice(LEDGER_PREFIX.length)
  const isCheckpoint = path === "checkpoint"
  const isFile = isCheckpoint || parseTilePath(path) !== null
  const file = isFile ? await open(join(folder, path)).catch(() => null) : null
  // A browser that reads another marketplace's page may check this ledger, too.
  const headers = { "Access-Control-Allow-Origin": "*" }
  if (file === null || (method !== "GET" && method !== "HEAD")) {
    await file?.close()
    const [status, body] =
      file === null ? [404, "There is no such file in the ledger.\n"] : [405, "GET only.\n"]
    response.writeHead(status as number, { ...headers, "Content-Type": "text/plain" }).end(body)
    return
  }
  const { size } = await file.stat()
  response.writeHead(200, {
    ...headers,
    "Content-Type": isCheckpoint ? "text/plain; charset=utf-8" : "application/octet-stream",
    "Content-Length": size,
    "Cache-Control": isCheckpoint ? SECONDS : A_YEAR,
  })
  if (method === "HEAD") {
    await file.close()
    response.end()
    return
  }
  // Whoever hangs up has seen enough.
  await pipeline(createReadStream("", { fd: file }), response).catch(() => {})
}
