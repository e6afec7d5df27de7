import { randomFillSync } from "node:crypto"
import { ask, blobUrl, Interrupted, type Registry } from "../../blob/registry.ts"
import { LARGEST_PIECE_BYTES } from "./line.ts"

const CANCEL_LIMIT_MS = 10_000
/** For a request that moves nothing. */
const ANSWER_LIMIT_MS = 10_000

/** An upload that is never finished: the marketplace throws away what came when it is closed. */
export class Discarded implements AsyncDisposable {
  readonly #registry: Registry
  readonly #location: URL
  /** Nothing on the way can make it shorter. */
  readonly #noise = randomFillSync(new Uint8Array(LARGEST_PIECE_BYTES))

  private constructor(registry: Registry, location: URL) {
    this.#registry = registry
    this.#location = location
  }

  /** @throws Interrupted, Fault `blob-transfer-failed`. */
  static async begin(registry: Registry, signal: AbortSignal): Promise<Discarded> {
    const url = blobUrl(registry, "uploads/")
    const { headers, status } = await soon(signal, within =>
      ask(registry, url, { method: "POST", signal: within, expected: [202] }),
    )
    const location = headers.get("location")
    if (location === null) throw new Interrupted("the registry named no upload", status)
    return new Discarded(registry, new URL(location, registry.url))
  }

  /** Returns when the marketplace has them. */
  async send(bytes: number, from: number, signal: AbortSignal): Promise<void> {
    const headers = {
      "content-type": "application/octet-stream",
      "content-range": `${from}-${from + bytes - 1}`,
    }
    // A body of known length goes out as it is; `ask` takes streams, which go out in chunks.
    const response = await fetch(this.#location, {
      method: "PATCH",
      headers: { ...headers, ...this.#authorized },
      body: this.#noise.subarray(0, bytes),
      signal,
    })
    await response.body?.cancel()
    if (response.status !== 202)
      throw new Interrupted(`the registry answered ${response.status}`, response.status)
  }

  /** Also after an abort; what cannot be cancelled now, the marketplace throws away by itself after some days. */
  async [Symbol.asyncDispose](): Promise<void> {
    const signal = AbortSignal.timeout(CANCEL_LIMIT_MS)
    const cancelled = fetch(this.#location, { method: "DELETE", headers: this.#authorized, signal })
    await cancelled.then(({ body }) => body?.cancel()).catch(() => {})
  }

  get #authorized(): Record<string, string> {
    return { authorization: `Bearer ${this.#registry.token()}` }
  }
}

async function soon<T>(signal: AbortSignal, use: (within: AbortSignal) => Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(ANSWER_LIMIT_MS)
  return use(AbortSignal.any([signal, late])).catch(error => {
    if (signal.aborted || !late.aborted) throw error
    throw new Interrupted(`the registry did not answer within ${ANSWER_LIMIT_MS / 1000} s`, null, error)
  })
}

/** Fetches so many bytes and throws them away. */
export async function fetchNoise(registry: Registry, bytes: number, signal: AbortSignal): Promise<void> {
  const response = await ask(registry, new URL(`/speed?bytes=${bytes}`, registry.url), {
    method: "GET",
    headers: { "accept-encoding": "identity" },
    signal,
    expected: [200],
  })
  let arrived = 0
  for await (const piece of response.body ?? []) arrived += piece.length
  if (arrived !== bytes) throw new Interrupted(`${arrived} of ${bytes} bytes came`, response.status)
}
