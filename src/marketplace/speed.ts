import { randomFillSync } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { authorize } from "./registry/authorize.ts"
import type { Registry } from "./registry/call.ts"
import { OciError } from "./registry/oci-error.ts"

/** One answer is no longer than this. */
const LIMIT_BYTES = 8 << 20
const PIECE_BYTES = 256 << 10

/** `GET /speed?bytes=N`: so many bytes that cannot be packed, for whoever measures the way here; with the token of a session. */
export async function serveSpeed(registry: Registry, request: IncomingMessage, response: ServerResponse) {
  try {
    authorize({ registry, request })
  } catch (error) {
    if (!(error instanceof OciError)) throw error
    response.writeHead(error.status, { "Content-Type": "application/json", ...error.headers }).end(error.body)
    return
  }
  const bytes = Number(new URL(request.url ?? "/", "http://market").searchParams.get("bytes"))
  if (request.method !== "GET" || !Number.isInteger(bytes) || bytes < 1 || bytes > LIMIT_BYTES) {
    const usage = `GET /speed?bytes=N with N from 1 to ${LIMIT_BYTES}.\n`
    response.writeHead(400, { "Content-Type": "text/plain" }).end(usage)
    return
  }
  const headers = { "Content-Type": "application/octet-stream", "Cache-Control": "no-store" }
  response.writeHead(200, { ...headers, "Content-Length": `${bytes}` })
  // Who has seen enough hangs up.
  await pipeline(Readable.from(noise(bytes)), response).catch(() => {})
}

function* noise(bytes: number): Generator<Uint8Array> {
  const piece = randomFillSync(new Uint8Array(PIECE_BYTES))
  for (let left = bytes; left > 0; left -= PIECE_BYTES) yield piece.subarray(0, Math.min(left, PIECE_BYTES))
}
