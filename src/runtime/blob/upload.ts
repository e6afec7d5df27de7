import type { Blob } from "../../protocol/digest.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import { ask, blobUrl, Interrupted, type Registry, Stall } from "./registry.ts"

/** One request carries at most this much: `fetch` takes in a body as fast as the disk gives it, so this is what memory holds. */
const CHUNK_BYTES = 8 << 20

/** An upload that the registry has begun; it outlives a broken connection. */
export interface Session {
  location: URL
  /** Bytes that the registry holds so far. */
  offset: number
}

/** Whether the registry has the blob already. */
export async function isUploaded(blob: Blob, registry: Registry, signal: AbortSignal): Promise<boolean> {
  using stall = new Stall(signal)
  const response = await ask(registry, blobUrl(registry, blob.digest), {
    method: "HEAD",
    signal: stall.signal,
    expected: [200, 404],
  })
  return response.status === 200
}

/** The session as the registry sees it now, or a new one where there is none (any more). */
export async function openSession(
  known: Session | null,
  registry: Registry,
  signal: AbortSignal,
): Promise<Session> {
  using stall = new Stall(signal)
  if (known !== null) {
    const response = await ask(registry, known.location, {
      method: "GET",
      signal: stall.signal,
      expected: [204, 404],
    })
    if (response.status === 204) return next(response, registry, 0)
  }
  const response = await ask(registry, blobUrl(registry, "uploads/"), {
    method: "POST",
    signal: stall.signal,
    expected: [202],
  })
  return { ...next(response, registry, 0), offset: 0 }
}

/** Sends one chunk from the session's offset. */
export async function sendChunk(
  blob: Blob,
  session: Session,
  { registry, store, signal }: { registry: Registry; store: BlobStore; signal: AbortSignal },
): Promise<Session> {
  using stall = new Stall(signal)
  const end = Math.min(session.offset + CHUNK_BYTES, blob.size) - 1
  const response = await ask(registry, session.location, {
    method: "PATCH",
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(end + 1 - session.offset),
      "content-range": `${session.offset}-${end}`,
    },
    body: watched(store.read(blob.digest, { start: session.offset, end }), stall),
    signal: stall.signal,
    expected: [202],
  })
  return next(response, registry, end + 1)
}

/** Has the registry check the digest and make the bytes a blob. */
export async function closeSession(
  blob: Blob,
  { location }: Session,
  registry: Registry,
  signal: AbortSignal,
): Promise<void> {
  using stall = new Stall(signal)
  const url = new URL(location)
  url.searchParams.set("digest", blob.digest)
  await ask(registry, url, { method: "PUT", signal: stall.signal, expected: [201] })
}

function next({ headers, status }: Response, registry: Registry, sent: number): Session {
  const location = headers.get("location")
  if (location === null) throw new Interrupted("the registry named no upload", status)
  const last = /^(?:bytes=)?0-(\d+)$/.exec(headers.get("range") ?? "")?.[1]
  // `0-0` means one byte by the letter, but registries also send it for none: what was sent decides.
  const offset = last === undefined || last === "0" ? sent : Number(last) + 1
  return { location: new URL(location, registry.url), offset }
}

async function* watched(source: AsyncIterable<Uint8Array>, stall: Stall): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    stall.moved()
    yield piece
  }
}
