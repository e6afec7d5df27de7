import pRetry from "p-retry"
import { z } from "zod"
import { type Digest, digestOf } from "../../protocol/digest.ts"
import { anonymousToken } from "./bearer.ts"
import { type ImageSource, isLoopback } from "./source.ts"
import { bodyOf, RegistryTrouble } from "./trouble.ts"

const REQUEST_LIMIT_MS = 30_000
const RETRIES = 2
const REDIRECTS = 4
const REDIRECT_STATUSES = [301, 302, 303, 307, 308]
/** What distribution-spec 1.1 asks registries to take at least, and so the most that anyone can rely on. */
const MANIFEST_LIMIT_BYTES = 4 << 20

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json"
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
const MANIFESTS = [
  ...[OCI_MANIFEST, OCI_INDEX],
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]

interface Got {
  bytes: Buffer
  headers: Headers
}

/**
 * Reads from one repository of a registry that nobody trusts (OCI distribution-spec 1.1): every answer has a limit, and whatever has a
 * digest is checked against it. Its methods throw `RegistryTrouble`, or the signal's reason.
 */
export class ImageClient {
  readonly source: ImageSource
  /** From the registry's own token server, for this repository alone. */
  #anonymous: string | null = null

  constructor(source: ImageSource) {
    this.source = source
  }

  async manifest(digest: Digest, signal: AbortSignal): Promise<unknown> {
    const got = await this.get(`manifests/${digest}`, MANIFESTS, MANIFEST_LIMIT_BYTES, signal)
    return jsonOf(demandDigest(got, digest))
  }

  async blob(digest: Digest, limitBytes: number, signal: AbortSignal): Promise<Buffer> {
    return demandDigest(await this.get(`blobs/${digest}`, ["*/*"], limitBytes, signal), digest)
  }

  /** What lies at `/v2/<repository>/<path>`, or null where there is nothing. */
  async get(path: string, accept: string[], limitBytes: number, signal: AbortSignal): Promise<Got | null> {
    const url = new URL(`/v2/${this.source.repository}/${path}`, this.source.origin)
    const once = async () => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_LIMIT_MS)])
      try {
        return await this.#once(url, accept.join(", "), limitBytes, limit)
      } catch (error) {
        signal.throwIfAborted()
        throw error instanceof RegistryTrouble ? error : unreachable(url.host, error)
      }
    }
    const shouldRetry = ({ error }: { error: Error }) => error instanceof RegistryTrouble && error.mayPass
    return pRetry(once, { retries: RETRIES, minTimeout: 500, randomize: true, signal, shouldRetry })
  }

  async #once(url: URL, accept: string, limitBytes: number, signal: AbortSignal): Promise<Got | null> {
    let response = await this.#ask(url, accept, signal)
    if (response.status === 401 && this.source.token === null && this.#anonymous === null) {
      await response.body?.cancel()
      const challenge = response.headers.get("www-authenticate")
      this.#anonymous = await anonymousToken(challenge, this.source, signal)
      response = await this.#ask(url, accept, signal)
    }
    const { status, headers } = response
    if (status === 200) return { bytes: await bodyOf(response, limitBytes), headers }
    await response.body?.cancel()
    if (status === 404) return null
    throw new RegistryTrouble(`${url.host} answered ${status}`, status === 429 || status >= 500)
  }

  /** One answer that is no redirection. A token is shown to the registry alone. */
  async #ask(from: URL, accept: string, signal: AbortSignal): Promise<Response> {
    let url = from
    for (let redirections = 0; redirections <= REDIRECTS; redirections++) {
      const token = url.origin === this.source.origin ? this.#token() : null
      const headers = { accept, ...(token !== null && { authorization: `Bearer ${token}` }) }
      const response = await fetch(url, { headers, signal, redirect: "manual" })
      if (!REDIRECT_STATUSES.includes(response.status)) return response
      await response.body?.cancel()
      url = this.#redirected(response.headers.get("location") ?? "", url)
    }
    throw new RegistryTrouble(`${from.host} redirects without end`, false)
  }

  #redirected(location: string, from: URL): URL {
    const url = URL.parse(location, from.href)
    const { origin } = this.source
    const fromThisMachine = isLoopback(new URL(origin).host)
    // A registry elsewhere must not have this machine ask itself or a neighbour in clear text.
    if (url?.origin === origin || url?.protocol === "https:") return url
    if (url?.protocol === "http:" && fromThisMachine && isLoopback(url.host)) return url
    throw new RegistryTrouble(`${from.host} redirects to a place that is not asked`, false)
  }

  #token(): string | null {
    return this.source.token === null ? this.#anonymous : this.source.token()
  }
}

function demandDigest(got: Got | null, digest: Digest): Buffer {
  if (got === null) throw new RegistryTrouble(`the registry does not have ${digest}`, false)
  if (digestOf(got.bytes) !== digest)
    throw new RegistryTrouble(`the registry gave other bytes for ${digest}`, false)
  return got.bytes
}

/** @throws RegistryTrouble */
export function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"))
  } catch (cause) {
    throw new RegistryTrouble("the registry answered what is no JSON", false, cause)
  }
}

/** @throws RegistryTrouble for anything that the schema does not take. */
export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new RegistryTrouble(
    `the registry gave no ${what}: ${z.prettifyError(parsed.error).slice(0, 200)}`,
    false,
  )
}

function unreachable(host: string, cause: unknown): RegistryTrouble {
  return new RegistryTrouble(`${host} did not answer`, true, cause)
}
