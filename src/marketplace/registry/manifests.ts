import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { z } from "zod"
import { Digest, digestOf } from "../../protocol/digest.ts"
import { type Call, reply } from "./call.ts"
import { OciError } from "./oci-error.ts"
import { noteReferrer } from "./referrers.ts"
import type { ManifestRoute } from "./route.ts"

/** What distribution-spec 1.1 asks registries to take at least. */
const MANIFEST_LIMIT_BYTES = 4 << 20

const MEDIA_TYPE_CHARS = 255
const Descriptor = z.object({ digest: Digest })

/** Any image or artifact manifest, as far as it names what it needs and what it refers to. */
const Manifest = z.object({
  config: z
    .object({ ...Descriptor.shape, mediaType: z.string().max(MEDIA_TYPE_CHARS).optional() })
    .optional(),
  layers: z.array(Descriptor).optional(),
  subject: Descriptor.optional(),
  artifactType: z.string().max(MEDIA_TYPE_CHARS).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})
type Manifest = z.infer<typeof Manifest>

/** What a list of referrers says of a manifest. */
export interface ManifestFacts {
  digest: Digest
  mediaType: string
  artifactType: string
  size: number
  annotations: Record<string, string>
  /** The manifest that it refers to. */
  subject: Digest | null
}

interface ManifestRow {
  digest: Digest
  mediaType: string
}

export async function getManifest(call: Call, { name, reference }: ManifestRoute): Promise<void> {
  const { registry, request, response } = call
  const row = registry.db.sql
    .prepare("SELECT digest, media_type AS mediaType FROM manifest WHERE name = ? AND reference = ?")
    .get(name, reference) as ManifestRow | undefined
  const size = row ? await registry.blobs.size(row.digest) : null
  if (!row || size === null) throw new OciError("MANIFEST_UNKNOWN", `There is no ${name} ${reference}.`)
  const headers = {
    "Content-Type": row.mediaType,
    "Content-Length": String(size),
    "Docker-Content-Digest": row.digest,
  }
  if (request.method === "HEAD") return reply(call, 200, headers)
  response.writeHead(200, headers)
  await pipeline(Readable.from(registry.blobs.read(row.digest)), response)
}

/** Stores a manifest, byte for byte, under its digest and its tag. */
export async function putManifest(call: Call, { name, reference }: ManifestRoute): Promise<void> {
  const { registry, request } = call
  const bytes = await bodyOf(call)
  const digest = digestOf(bytes)
  const isDigest = reference.includes(":")
  if (isDigest && reference !== digest)
    throw new OciError("DIGEST_INVALID", `The manifest's digest is ${digest}.`)
  const manifest = manifestIn(bytes)
  await demandBlobs(call, manifest)
  await registry.blobs.add(Readable.from([bytes]), MANIFEST_LIMIT_BYTES)
  const mediaType = request.headers["content-type"] ?? "application/vnd.oci.image.manifest.v1+json"
  const facts = factsOf(manifest, { digest, mediaType, size: bytes.length })
  await registry.db.write(() => {
    const put = registry.db.sql.prepare(
      `INSERT INTO manifest (name, reference, digest, media_type) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET digest = excluded.digest, media_type = excluded.media_type`,
    )
    for (const key of new Set([digest, reference])) put.run(name, key, digest, mediaType)
    noteReferrer(call, name, facts)
  })
  reply(call, 201, {
    Location: `/v2/${name}/manifests/${digest}`,
    "Docker-Content-Digest": digest,
    ...(facts.subject !== null && { "OCI-Subject": facts.subject }),
  })
}

export function listTags({ registry, response }: Call, name: string): void {
  const rows = registry.db.sql
    .prepare("SELECT reference FROM manifest WHERE name = ? AND reference NOT LIKE '%:%' ORDER BY reference")
    .all(name)
  const body = JSON.stringify({ name, tags: rows.map(({ reference }) => reference) })
  response.writeHead(200, { "Content-Type": "application/json" }).end(body)
}

async function bodyOf({ request }: Call): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  // The connection stays, so that whoever sends too much can still read why.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > MANIFEST_LIMIT_BYTES) throw new OciError("SIZE_INVALID", "A manifest may have 4 MiB.")
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** A manifest whose blobs are missing would be an image that nobody can pull. */
async function demandBlobs({ registry }: Call, { config, layers = [] }: Manifest): Promise<void> {
  for (const { digest } of config ? [config, ...layers] : layers)
    if ((await registry.blobs.size(digest)) === null)
      throw new OciError("MANIFEST_BLOB_UNKNOWN", `The manifest names ${digest}, which is not here.`)
}

/** The type of an image is that of its configuration (distribution-spec 1.1, "Pushing Manifests with Subject"). */
function factsOf(
  { subject, artifactType, config, annotations = {} }: Manifest,
  stored: Pick<ManifestFacts, "digest" | "mediaType" | "size">,
): ManifestFacts {
  const type = artifactType ?? config?.mediaType ?? stored.mediaType
  return { ...stored, artifactType: type, annotations, subject: subject?.digest ?? null }
}

function manifestIn(bytes: Buffer): Manifest {
  try {
    return Manifest.parse(JSON.parse(bytes.toString("utf8")))
  } catch {
    throw new OciError("MANIFEST_INVALID", "This is not an OCI or Docker manifest.")
  }
}
