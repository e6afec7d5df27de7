import { type Blob, hexOf } from "../../protocol/digest.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import { ask, blobUrl, Interrupted, type Registry, Stall } from "./registry.ts"

/**
 * Fetches what is missing of a blob, from where an earlier try ended, and makes it a blob of the store once its digest is right.
 * @throws Interrupted; Fault `blob-missing`, `blob-corrupt`, `blob-transfer-failed`, `disk-full`.
 */
export async function downloadOnce(
  blob: Blob,
  registry: Registry,
  store: BlobStore,
  signal: AbortSignal,
): Promise<void> {
  const name = hexOf(blob.digest)
  if ((await store.received(name)) > blob.size) await store.discard(name)
  const start = await store.received(name)
  if (start < blob.size || start === 0) await fetchRest(name, start, { blob, registry, store, signal })
  const received = await store.received(name)
  if (received < blob.size) throw new Interrupted(`only ${received} of ${blob.size} bytes came`, null)
  await store.seal(name, blob.digest)
}

interface Fetching {
  blob: Blob
  registry: Registry
  store: BlobStore
  signal: AbortSignal
}

async function fetchRest(
  name: string,
  start: number,
  { blob, registry, store, signal }: Fetching,
): Promise<void> {
  using stall = new Stall(signal)
  const response = await ask(registry, blobUrl(registry, blob.digest), {
    method: "GET",
    headers: start > 0 ? { range: `bytes=${start}-` } : {},
    signal: stall.signal,
    expected: [200, 206],
  })
  // A server that does not know ranges sends the whole blob again.
  if (start > 0 && !continues(response, start)) await store.discard(name)
  await store.append(name, bytesOf(response, stall), blob.size)
}

function continues({ status, headers }: Response, start: number): boolean {
  return status === 206 && headers.get("content-range")?.startsWith(`bytes ${start}-`) === true
}

/** A body that breaks off is not the store's fault: as an `Interrupted` it leaves the partial blob in place. */
async function* bytesOf({ body }: Response, stall: Stall): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of body ?? []) {
      stall.moved()
      yield piece
    }
  } catch (error) {
    throw stall.signal.aborted ? stall.signal.reason : new Interrupted("the connection broke", null, error)
  }
}
