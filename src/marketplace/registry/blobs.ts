import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { Digest } from "../../protocol/digest.ts"
import { type Call, reply } from "./call.ts"
import { OciError } from "./oci-error.ts"
import { rangeIn } from "./range.ts"

/** Sends a blob, or one range of it. */
export async function sendBlob(call: Call, digest: Digest): Promise<void> {
  const { registry, request, response } = call
  const size = await registry.blobs.size(digest)
  if (size === null) throw new OciError("BLOB_UNKNOWN", `There is no blob ${digest}.`)
  const range = rangeIn(request.headers.range, size)
  if (range === "unsatisfiable")
    throw new OciError("RANGE_INVALID", "The range lies outside.", { "Content-Range": `bytes */${size}` })
  const headers = {
    "Accept-Ranges": "bytes",
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    "Content-Length": String(range ? range.end - range.start + 1 : size),
    ...(range && { "Content-Range": `bytes ${range.start}-${range.end}/${size}` }),
  }
  if (request.method === "HEAD") return reply(call, 200, { ...headers, "Content-Length": String(size) })
  response.writeHead(range ? 206 : 200, headers)
  await pipeline(Readable.from(registry.blobs.read(digest, range ?? {})), response)
}
