import { Fault } from "../../protocol/fault.ts"
import type { Image } from "../../protocol/shard-spec.ts"
import type { Registry } from "../blob/registry.ts"
import { imageReference } from "../container/reference.ts"
import { signaturesDue } from "../host/rules/judge.ts"
import type { Rules, SignatureRule } from "../host/rules/rules.ts"
import { ImageClient } from "./image-client.ts"
import { packedBytes } from "./packed-size.ts"
import { bundlesOf } from "./referrers.ts"
import { signerOf } from "./signature.ts"
import { sourceOf } from "./source.ts"
import { RegistryTrouble } from "./trouble.ts"

/** All questions about one image, answered by a registry that may be slow. */
const CHECK_LIMIT_MS = 300_000
const MIB = 2 ** 20

interface Needs {
  rules: Rules
  registry: Registry
}

/**
 * Checks that an image has the signatures that its owner's rules ask for. They are about the digest, so nothing of the image is needed.
 * @throws Fault `image-unsigned`, or `image-not-pulled` when the registry does not answer.
 */
export async function checkSignatures(
  image: Image,
  { rules, registry }: Needs,
  signal: AbortSignal,
): Promise<void> {
  const market = new URL(registry.url).host
  const due = signaturesDue(image, rules, market)
  if (due.length === 0) return
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CHECK_LIMIT_MS)])
  await asking(image, market, signal, async () => {
    const client = new ImageClient(sourceOf(image, registry))
    const missing = new Set(due)
    const seen: string[] = []
    for await (const bundle of bundlesOf(client, image.digest, limit)) {
      for (const rule of missing) {
        const signer = signerOf(bundle, image.digest, rule.keys)
        if (typeof signer === "string") seen.push(signer)
        else missing.delete(rule)
      }
      if (missing.size === 0) return
    }
    const [lacking] = missing
    if (lacking) throw unsigned(imageReference(image, market), lacking, seen)
  })
}

/**
 * Checks before a pull that an image is not larger than the owner allows, nor than the disk.
 * @param freeBytes where the engine keeps its images; null where that is not known.
 * @throws Fault `image-too-large`, `disk-full`, or `image-not-pulled` when the registry does not answer.
 */
export async function checkPackedSize(
  image: Image,
  { rules, registry, freeBytes }: Needs & { freeBytes: number | null },
  signal: AbortSignal,
): Promise<void> {
  const market = new URL(registry.url).host
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CHECK_LIMIT_MS)])
  const client = new ImageClient(sourceOf(image, registry))
  const bytes = await asking(image, market, signal, () => packedBytes(client, image.digest, limit))
  const reference = imageReference(image, market)
  demandSize(reference, bytes, rules)
  // Unpacked it takes up at least as much again, while its layers still lie there packed.
  if (freeBytes !== null && freeBytes < 2 * bytes) throw diskFull(reference, bytes, freeBytes)
}

/** @throws Fault `image-too-large` */
export function demandSize(reference: string, bytes: number, { images: { maxMiB } }: Rules): void {
  if (bytes <= maxMiB * MIB) return
  const mib = Math.ceil(bytes / MIB)
  throw new Fault(
    "image-too-large",
    `The image ${reference} has ${mib} MiB; the owner allows ${maxMiB} MiB.`,
    {
      hint: "Make the image smaller, or raise images.maxMiB in the owner's rules: `zg-agent sandbox show`.",
      facts: { reference, rule: "images.maxMiB", mib, maxMiB },
    },
  )
}

/** A registry's trouble is the image's. */
async function asking<T>(
  image: Image,
  market: string,
  signal: AbortSignal,
  questions: () => Promise<T>,
): Promise<T> {
  try {
    return await questions()
  } catch (error) {
    signal.throwIfAborted()
    const timedOut = (error as Error).name === "TimeoutError"
    if (!(error instanceof RegistryTrouble) && !timedOut) throw error
    const why = timedOut ? "its registry took too long" : (error as Error).message
    const reference = imageReference(image, market)
    throw new Fault("image-not-pulled", `The image ${reference} could not be pulled: ${why}.`, {
      hint: "Check the registry's address, that the image's digest exists there, and that it can be read without a login.",
      facts: { reference },
      cause: error,
    })
  }
}

function unsigned(reference: string, { images, keys }: SignatureRule, seen: string[]): Fault {
  const files = keys.map(({ file }) => file).join(", ")
  const found = seen.length === 0 ? "it has no signature" : `${seen.length} found, the last: ${seen.at(-1)}`
  return new Fault("image-unsigned", `The image ${reference} is not signed by ${files}: ${found}.`, {
    hint: `The owner's rules ask for it of ${images}. Sign it: \`cosign sign --key … ${reference}\`.`,
    facts: { reference, rule: "images.signedBy", images, keys: files, found: seen.length },
  })
}

function diskFull(reference: string, bytes: number, freeBytes: number): Fault {
  const mib = (value: number) => Math.ceil(value / MIB)
  return new Fault(
    "disk-full",
    `There is no room for the image ${reference}: it has ${mib(bytes)} MiB packed.`,
    {
      hint: "Free some space where the engine keeps its images: `docker system df` shows what takes it.",
      facts: { reference, packedMiB: mib(bytes), freeMiB: mib(freeBytes) },
    },
  )
}
