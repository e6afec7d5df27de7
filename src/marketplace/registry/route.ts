import { Digest } from "../../protocol/digest.ts"
import { OciError } from "./oci-error.ts"

export interface UploadRoute {
  name: string
  id: string
}

export interface ManifestRoute {
  name: string
  /** A tag or a digest. */
  reference: string
}

export type Route =
  | { to: "root" }
  | { to: "blob"; digest: Digest }
  | { to: "start upload"; name: string }
  | ({ to: "tell upload" | "grow upload" | "finish upload" | "cancel upload" } & UploadRoute)
  | ({ to: "get manifest" | "put manifest" } & ManifestRoute)
  | { to: "tags"; name: string }
  | { to: "referrers"; name: string; digest: Digest }

const UPLOAD_STEPS = {
  GET: "tell upload",
  PATCH: "grow upload",
  PUT: "finish upload",
  DELETE: "cancel upload",
} as const

/** The name grammar of distribution-spec 1.1, "Pulling manifests". */
const NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const NAME_LIMIT = 255

/** @throws OciError for an address or a method that the endpoint does not have. */
export function findRoute(method: string, path: string): Route {
  const reading = method === "GET" || method === "HEAD"
  if (path === "/v2" || path === "/v2/") return reading ? { to: "root" } : unsupported(method)
  const upload = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/.exec(path)
  if (upload) return uploadRoute(method, named(upload[1]), upload[2] ?? "")
  const blob = /^\/v2\/(.+)\/blobs\/([^/]+)$/.exec(path)
  if (blob) return reading && named(blob[1]) ? { to: "blob", digest: digestIn(blob[2]) } : unsupported(method)
  const manifest = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path)
  if (manifest) return manifestRoute(method, named(manifest[1]), manifest[2] ?? "")
  const tags = /^\/v2\/(.+)\/tags\/list$/.exec(path)
  if (tags && reading) return { to: "tags", name: named(tags[1]) }
  const referrers = /^\/v2\/(.+)\/referrers\/([^/]+)$/.exec(path)
  if (referrers && reading)
    return { to: "referrers", name: named(referrers[1]), digest: digestIn(referrers[2]) }
  throw new OciError("BLOB_UNKNOWN", "There is nothing at this address.")
}

/** @throws OciError `DIGEST_INVALID` */
export function digestIn(text: string | null | undefined): Digest {
  const parsed = Digest.safeParse(text)
  if (parsed.success) return parsed.data
  throw new OciError("DIGEST_INVALID", "A digest is sha256: and 64 lower-case hex digits.")
}

function uploadRoute(method: string, name: string, id: string): Route {
  if (id === "") return method === "POST" ? { to: "start upload", name } : unsupported(method)
  if (!Object.hasOwn(UPLOAD_STEPS, method)) return unsupported(method)
  return { to: UPLOAD_STEPS[method as keyof typeof UPLOAD_STEPS], name, id }
}

function manifestRoute(method: string, name: string, reference: string): Route {
  if (!TAG.test(reference)) digestIn(reference)
  if (method === "PUT") return { to: "put manifest", name, reference }
  return method === "GET" || method === "HEAD" ? { to: "get manifest", name, reference } : unsupported(method)
}

function named(name = ""): string {
  if (name.length <= NAME_LIMIT && NAME.test(name)) return name
  throw new OciError("NAME_INVALID", "A repository's name is lower-case words, with slashes between parts.")
}

function unsupported(method: string): never {
  throw new OciError("UNSUPPORTED", `${method} is not possible here.`)
}
