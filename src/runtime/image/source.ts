import type { Image } from "../../protocol/shard-spec.ts"
import type { Registry } from "../blob/registry.ts"
import { registryOf } from "../container/reference.ts"

/** Where an image's manifests and blobs are fetched. */
export interface ImageSource {
  /** Scheme, host and port. */
  origin: string
  /** The repository's name at that registry. */
  repository: string
  /** The marketplace's own registry takes the session's token; any other one is asked as nobody: the owner's logins are not a buyer's. */
  token: (() => string) | null
}

/** Docker Hub's registry is not at the host that its images are named by. */
const DOCKER_HUB = { names: ["docker.io", "index.docker.io"], host: "registry-1.docker.io" } as const

export function sourceOf(image: Image, registry: Registry): ImageSource {
  const { host: market, origin } = new URL(registry.url)
  const host = registryOf(image)
  if (host === null) return { origin, repository: image.name, token: registry.token }
  const rest = image.name.slice(host.length + 1)
  if (host === market) return { origin, repository: rest, token: registry.token }
  if ((DOCKER_HUB.names as readonly string[]).includes(host)) {
    const repository = rest.includes("/") ? rest : `library/${rest}`
    return { origin: `https://${DOCKER_HUB.host}`, repository, token: null }
  }
  // As engines do: without TLS on this machine alone.
  return { origin: `${isLoopback(host) ? "http" : "https"}://${host}`, repository: rest, token: null }
}

/** Whether a host (with or without a port) is this machine itself. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, "")
  return name === "localhost" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name)
}
