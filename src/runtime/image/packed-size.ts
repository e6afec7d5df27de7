import { z } from "zod"
import { Digest } from "../../protocol/digest.ts"
import { type ImageClient, parseAs } from "./image-client.ts"
import { RegistryTrouble } from "./trouble.ts"

/** More entries for one platform than any builder makes. */
const CANDIDATES = 8

const Sized = z.object({ size: z.int().min(0) })
const Manifest = z.object({ config: Sized, layers: z.array(Sized).max(4096) })
type Manifest = z.infer<typeof Manifest>

const Platform = z.object({ os: z.string(), architecture: z.string() })
const Index = z.object({
  manifests: z.array(z.object({ digest: Digest, platform: Platform.optional() })).max(4096),
})
type Index = z.infer<typeof Index>

/** The names that Go, and so images, have for what Node calls `process.arch`. */
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64", ia32: "386" }

/** This machine, as an index of images names it. */
export const PLATFORM = { os: "linux", architecture: ARCHITECTURES[process.arch] ?? process.arch }

/**
 * How large an image is as its manifest says, packed, in bytes. Of an index the largest image counts that this machine might take.
 * A registry can lie here, so that what was pulled is measured again.
 * @throws RegistryTrouble
 */
export async function packedBytes(client: ImageClient, digest: Digest, signal: AbortSignal): Promise<number> {
  const top = await client.manifest(digest, signal)
  const index = Index.safeParse(top)
  if (!index.success) return sizeOf(parseAs(Manifest, top, "image manifest"))
  const candidates = candidatesIn(index.data, PLATFORM)
  if (candidates.length === 0) throw new RegistryTrouble("the image is not for this kind of machine", false)
  if (candidates.length > CANDIDATES)
    throw new RegistryTrouble("the image's index has too many entries", false)
  const sizes = candidates.map(async each =>
    sizeOf(parseAs(Manifest, await client.manifest(each, signal), "image manifest")),
  )
  return Math.max(...(await Promise.all(sizes)))
}

/** The entries that an engine may take here; one that names no platform is for any. */
function candidatesIn({ manifests }: Index, here: z.infer<typeof Platform>): Digest[] {
  const fits = (platform: z.infer<typeof Platform> | undefined) =>
    platform === undefined || (platform.os === here.os && platform.architecture === here.architecture)
  return manifests.filter(({ platform }) => fits(platform)).map(({ digest }) => digest)
}

function sizeOf({ config, layers }: Manifest): number {
  return layers.reduce((sum, { size }) => sum + size, config.size)
}
