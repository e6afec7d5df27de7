import { z } from "zod"
import { Digest, hexOf } from "../../protocol/digest.ts"
import { type ImageClient, jsonOf, OCI_INDEX, parseAs } from "./image-client.ts"
import { BUNDLE_V03, COSIGN_SIGN } from "./signature.ts"
import { RegistryTrouble } from "./trouble.ts"

const INDEX_LIMIT_BYTES = 4 << 20
/** A bundle with a certificate and a log entry has 12 KB. */
const BUNDLE_LIMIT_BYTES = 256 << 10
/** Whoever can push can hang any number of manifests on an image; no more than these are looked at. */
const LOOKED_AT = 32

const Descriptor = z.object({
  digest: Digest,
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
})
const Index = z.object({ manifests: z.array(Descriptor).max(65_536) })
type Index = z.infer<typeof Index>

const BundleManifest = z.object({
  artifactType: z.literal(BUNDLE_V03),
  subject: z.object({ digest: Digest }),
  layers: z.tuple([z.object({ mediaType: z.literal(BUNDLE_V03), digest: Digest })]),
})

/**
 * The Sigstore bundles that refer to an image, in cosign v3's layout, one after the other. Where the registry has no referrers endpoint,
 * the tag that stands in for it is read (distribution-spec 1.1, "Referrers Tag Schema"). One that is broken is passed over.
 * @throws RegistryTrouble
 */
export async function* bundlesOf(
  client: ImageClient,
  image: Digest,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  for (const digest of bundleManifestsIn(await indexOf(client, image, signal))) {
    const bundle = await bundleIn(client, digest, image, signal).catch(error => {
      if (error instanceof RegistryTrouble && !error.mayPass) return null
      throw error
    })
    if (bundle !== null) yield bundle
  }
}

async function indexOf(client: ImageClient, image: Digest, signal: AbortSignal): Promise<Index> {
  const query = new URLSearchParams({ artifactType: BUNDLE_V03 })
  const paths = [`referrers/${image}?${query}`, `manifests/sha256-${hexOf(image)}`]
  for (const path of paths) {
    const got = await client.get(path, [OCI_INDEX], INDEX_LIMIT_BYTES, signal)
    if (got) return parseAs(Index, jsonOf(got.bytes), "list of referrers")
  }
  return { manifests: [] }
}

/** Those that say to be an image's signature come first: an attestation has the same type. */
function bundleManifestsIn({ manifests }: Index): Digest[] {
  const bundles = manifests.filter(({ artifactType }) => artifactType === BUNDLE_V03)
  const isSignature = ({ annotations }: z.infer<typeof Descriptor>) =>
    annotations?.["dev.sigstore.bundle.predicateType"] === COSIGN_SIGN
  const ordered = [...bundles.filter(isSignature), ...bundles.filter(each => !isSignature(each))]
  return [...new Set(ordered.map(({ digest }) => digest))].slice(0, LOOKED_AT)
}

async function bundleIn(
  client: ImageClient,
  digest: Digest,
  image: Digest,
  signal: AbortSignal,
): Promise<unknown> {
  const manifest = parseAs(BundleManifest, await client.manifest(digest, signal), "bundle's manifest")
  if (manifest.subject.digest !== image) throw new RegistryTrouble("a bundle refers to another image", false)
  return jsonOf(await client.blob(manifest.layers[0].digest, BUNDLE_LIMIT_BYTES, signal))
}
