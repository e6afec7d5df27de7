import { Fault } from "../../protocol/fault.ts"

/** A registry that keeps blobs under one repository name (OCI distribution-spec 1.1). */
export interface Registry {
  /** Such as `http://market.example:7464`. */
  url: string
  /** The bearer token of the moment: it changes with every session. */
  token: () => string
}

const REPOSITORY = "zg"
/** A connection that brings or takes nothing for so long is dead. */
const STALL_LIMIT_MS = 60_000

/** The connection broke or the server stumbled: worth another try, and what arrived stays. */
export class Interrupted extends Error {
  override readonly name = "Interrupted"
  readonly status: number | null

  constructor(message: string, status: number | null, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

export function blobUrl(registry: Registry, path: string): URL {
  return new URL(`/v2/${REPOSITORY}/blobs/${path}`, registry.url)
}

/** Ends a request when the caller's signal does, or when nothing has moved for the stall limit. */
export class Stall implements Disposable {
  readonly signal: AbortSignal
  readonly #limitMs: number
  readonly #stalled = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(signal: AbortSignal, limitMs = STALL_LIMIT_MS) {
    this.#limitMs = limitMs
    this.signal = AbortSignal.any([signal, this.#stalled.signal])
    this.moved()
  }

  moved(): void {
    clearTimeout(this.#timer)
    const message = `nothing moved for ${this.#limitMs / 1000} s`
    this.#timer = setTimeout(() => this.#stalled.abort(new Interrupted(message, null)), this.#limitMs)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

export interface Ask {
  method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT"
  headers?: Record<string, string>
  body?: AsyncIterable<Uint8Array>
  signal: AbortSignal
  /** The statuses that are an answer; any other is refused. */
  expected: number[]
}

/**
 * One request with the token.
 * @throws Interrupted where another try may help; Fault `blob-missing`, `blob-corrupt` or `blob-transfer-failed` where not.
 */
export async function ask(registry: Registry, url: URL, request: Ask): Promise<Response> {
  const { expected, signal, headers, ...rest } = request
  const authorized = { authorization: `Bearer ${registry.token()}`, ...headers }
  const response = await fetch(url, { ...rest, headers: authorized, signal, duplex: "half" }).catch(error => {
    throw signal.aborted ? signal.reason : new Interrupted("the connection failed", null, error)
  })
  if (expected.includes(response.status)) return response
  throw await refusal(url, response)
}

/** Says no more than this of what a server answers. */
const EXPLANATION_CHARS = 300

async function refusal(url: URL, response: Response): Promise<Fault | Interrupted> {
  const { status } = response
  const said = await excerptOf(response).catch(() => "")
  if (mayPass(status)) return new Interrupted(`the registry answered ${status}`, status)
  const facts = { status, said, host: url.host }
  if (status === 404)
    return new Fault("blob-missing", "The registry does not have the blob.", {
      hint: "Its sender has to upload it again; ask the marketplace's operator if it was there before.",
      facts,
    })
  if (said.includes("DIGEST_INVALID"))
    return new Fault("blob-corrupt", "The registry got other bytes than were announced.", {
      hint: "Check this machine's disk and memory: the file changed while it was sent.",
      facts,
    })
  return transferFailed(`the registry answered ${status}`, facts)
}

/** A server that answers without end is read no further than a fault has room for. */
async function excerptOf({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  for await (const piece of body ?? []) {
    text += decoder.decode(piece, { stream: true })
    if (text.length >= EXPLANATION_CHARS) break
  }
  return text.slice(0, EXPLANATION_CHARS)
}

/**
 * Overload, broken gateways, a full disk at the other end, a disagreement about an offset (416) and a token of a session that is over (401)
 * may pass; a refusal does not.
 */
function mayPass(status: number): boolean {
  return [401, 408, 416, 425, 429].includes(status) || status >= 500
}

export function transferFailed(why: string, facts: Fault["facts"], cause?: unknown): Fault {
  return new Fault("blob-transfer-failed", `A blob could not be transferred: ${why}.`, {
    hint: "Check the connection to the marketplace; what arrived is kept for the next try.",
    facts,
    cause,
  })
}
