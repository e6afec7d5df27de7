import { Digest } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { Image } from "../../protocol/shard-spec.ts"
import type { Registry } from "../blob/registry.ts"
import type { Engine } from "../container/engine.ts"
import { registryOf } from "../container/reference.ts"

const ASK_LIMIT_MS = 20_000
const MANIFESTS =
  "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"

/**
 * The image of a job by digest. A name with a digest is taken as it is; a local tag is pushed to the marketplace's registry first.
 * @throws Fault `bad-image-reference`, `image-missing`, or the engine's.
 */
export async function resolveImage(
  reference: string,
  registry: Registry,
  connect: () => Promise<Engine>,
  signal: AbortSignal,
): Promise<Image> {
  const [name = "", digest] = reference.split("@")
  if (digest !== undefined) return pinnedImage({ name, digest }, registry, signal)
  const engine = await connect()
  if (!(await engine.images.has(reference, signal))) throw notHere(reference)
  const repository = repositoryOf(reference)
  const { host } = new URL(registry.url)
  const credentials = { registry: host, user: "zg-agent", password: registry.token() }
  await engine.images.push(reference, `${host}/${repository}:latest`, credentials, signal)
  const pushed = await manifestDigest(repository, "latest", registry, signal)
  if (pushed === null) throw notHere(reference)
  return { name: repository, digest: pushed }
}

async function pinnedImage(
  fields: { name: string; digest: string },
  registry: Registry,
  signal: AbortSignal,
): Promise<Image> {
  const image = parseImage(fields)
  const isElsewhere = registryOf(image) !== null
  if (isElsewhere || (await manifestDigest(image.name, image.digest, registry, signal)) !== null) return image
  throw new Fault("image-missing", `The marketplace's registry has no image ${image.name}@${image.digest}.`, {
    hint: "Give a local tag instead, which is pushed for you, or a name that starts with its registry's host.",
  })
}

/** `registry.example:5000/team/net:v2` and `team/net` → `team/net`. @throws Fault `bad-image-reference`. */
export function repositoryOf(tag: string): string {
  const withoutTag = tag.replace(/:[^:/]*$/, "")
  const anyDigest = `sha256:${"0".repeat(64)}`
  const { name } = parseImage({ name: withoutTag, digest: anyDigest })
  const host = registryOf({ name, digest: Digest.parse(anyDigest) })
  return host === null ? name : name.slice(host.length + 1)
}

function parseImage(fields: { name: string; digest: string }): Image {
  const parsed = Image.safeParse(fields)
  if (parsed.success) return parsed.data
  throw new Fault(
    "bad-image-reference",
    `${fields.name} is not an image: ${parsed.error.issues[0]?.message}.`,
    {
      hint: "Give a local tag such as team/net:v2, or a name with a digest such as ghcr.io/team/net@sha256:….",
    },
  )
}

/** What the registry has under this tag or digest; null when nothing. */
async function manifestDigest(
  name: string,
  reference: string,
  registry: Registry,
  signal: AbortSignal,
): Promise<Digest | null> {
  const response = await fetch(new URL(`/v2/${name}/manifests/${reference}`, registry.url), {
    method: "HEAD",
    headers: { authorization: `Bearer ${registry.token()}`, accept: MANIFESTS },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_LIMIT_MS)]),
  })
  return response.ok ? Digest.parse(response.headers.get("docker-content-digest")) : null
}

function notHere(reference: string): Fault {
  return new Fault("image-missing", `There is no image ${reference} on this machine.`, {
    hint: "Build or pull it first (`docker images` shows what is here), or give a name with a digest.",
    facts: { reference },
  })
}
