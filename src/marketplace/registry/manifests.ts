import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { z } from "zod"
import { Digest, digestOf } from "../../protocol/digest.ts"
import { type Call, reply } from "./call.ts"
import { OciError } from "./oci-error.ts"
import type { ManifestRoute } from "./route.ts"

/** What distribution-spec 1.1 asks registries to take at least. */
const MANIFEST_LIMIT_BYTES = 4 << 20

const Descriptor = z.object({ digest: Digest })

/** Any image or artifact manifest, as far as it names what it needs. */
const Manifest = z.object({ config: Descriptor.optional(), layers: z.array(Descriptor).optional() })

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
  await demandBlobs(call, bytes)
  await registry.blobs.add(Readable.from([bytes]), MANIFEST_LIMIT_BYTES)
  const mediaType = request.headers["content-type"] ?? "application/vnd.oci.image.manifest.v1+json"
  await registry.db.write(() => {
    const put = registry.db.sql.prepare(
      `INSERT INTO manifest (name, reference, digest, media_type) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET digest = excluded.digest, media_type = excluded.media_type`,
    )
    for (const key of new Set([digest, reference])) put.run(name, key, digest, mediaType)
  })
  reply(call, 201, { Location: `/v2/${name}/manifests/${digest}`, "Docker-Content-Digest": digest })
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
async function demandBlobs({ registry }: Call, bytes: Buffer): Promise<void> {
  for (const { digest } of descriptorsIn(bytes))
    if ((await registry.blobs.size(digest)) === null)
      throw new OciError("MANIFEST_BLOB_UNKNOWN", `The manifest names ${digest}, which is not here.`)
}

function descriptorsIn(bytes: Buffer): { digest: Digest }[] {
  try {
    const { config, layers = [] } = Manifest.parse(JSON.parse(bytes.toString("utf8")))
    return config ? [config, ...layers] : layers
  } catch {
    throw new OciError("MANIFEST_INVALID", "This is not an OCI or Docker manifest.")
  }
}
