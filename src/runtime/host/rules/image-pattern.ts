import { posix } from "node:path"
import type { Image } from "../../../protocol/shard-spec.ts"
import { registryOf } from "../../container/reference.ts"

const LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
const PORT = String.raw`(:\d{1,5})?`
/** A star in a host stands for whole labels on its left, so that `ghcr.*` cannot mean `ghcr.evil.example`. */
const HOST = String.raw`((\*\.)?${LABEL}(\.${LABEL})+|${LABEL}(?=:)|localhost)${PORT}`
/** `**` is a whole part: inside one it would mean no more than `*`, which is not what it looks like. */
const PART = String.raw`(\*\*|(?!\*\*)[a-z0-9._-]*(\*[a-z0-9._-]+)*\*?)`
const PATTERN = new RegExp(String.raw`^(market|\*\*|(market|\*\*?|${HOST})(/${PART})+)$`)

/**
 * Whether the text names images: `market` (all of the marketplace's own registry), `market/team/*`, `ghcr.io/acme/**`, `**`.
 * A star is within one part of the name, two are across parts. The first part is a registry's host, `market` or a star.
 */
export function isImagePattern(text: string): boolean {
  return text.length <= 255 && !text.endsWith("/") && !text.includes("//") && PATTERN.test(text)
}

/**
 * Whether an image is one of those that a pattern names. A star in place of the host stands for public hosts: an address, a name without
 * a dot or one that is reserved for local networks has to be spelled out, or a buyer could have this machine ask its neighbours.
 * @param market host and port of the marketplace's registry, which has two spellings: its own, and none.
 */
export function matchesImage(pattern: string, image: Image, market: string): boolean {
  const name = ownersName(image, market)
  const [host = ""] = name.split("/")
  if (pattern.startsWith("*") && host !== "market" && !isPublicName(host)) return false
  return posix.matchesGlob(name, pattern === "market" ? "market/**" : pattern)
}

/** The image's name as rules see it: `market/…` for the marketplace's own. */
export function ownersName(image: Image, market: string): string {
  const host = registryOf(image)
  if (host === null) return `market/${image.name}`
  return host === market ? `market${image.name.slice(host.length)}` : image.name
}

/** RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa), and `internal`, which ICANN reserved in 2024. */
const LOCAL = /(^|\.)(localhost|local|internal|home\.arpa)$/

function isPublicName(host: string): boolean {
  const [name = ""] = host.split(":")
  return /\.[a-z][a-z0-9-]*$/.test(name) && !LOCAL.test(name)
}
