import { Fault } from "../../protocol/fault.ts"
import type { Image } from "../../protocol/shard-spec.ts"

/**
 * The image as the engine takes it: `host/name@sha256:…`. A name without a registry's host lies in the marketplace's registry.
 * @param market Host and port of the marketplace's registry, such as `market.example:7464`.
 * @throws Fault `bad-image-reference` when the reference could be read as an option of the engine.
 */
export function imageReference(image: Image, market: string): string {
  const reference = `${registryOf(image) === null ? `${market}/` : ""}${image.name}@${image.digest}`
  if (/^[a-z0-9[]/i.test(reference)) return reference
  throw new Fault("bad-image-reference", `${reference} is no image reference.`, {
    hint: "Start it with a registry's host name, or leave the host out for the marketplace's own registry.",
  })
}

/** The registry's host (with its port) that the name starts with, or null for the marketplace's own. */
export function registryOf({ name }: Image): string | null {
  const [first = "", ...rest] = name.split("/")
  return rest.length > 0 && (/[.:]/.test(first) || first === "localhost") ? first : null
}
