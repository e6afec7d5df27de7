import type { Digest } from "../../protocol/digest.ts"
import type { Call } from "./call.ts"
import type { ManifestFacts } from "./manifests.ts"

/** The earliest stay: whoever comes later cannot push them out of the list. */
const LISTED_AT_MOST = 256
/** A manifest can carry 4 MiB of annotations; a list of such manifests would have no end. */
const ANNOTATIONS_LIMIT_CHARS = 4096

const OCI_INDEX = "application/vnd.oci.image.index.v1+json"

interface ReferrerRow {
  digest: Digest
  mediaType: string
  artifactType: string
  size: number
  annotations: string
}

/** Notes that a manifest refers to another one, inside a write of the database. */
export function noteReferrer({ registry: { db, clock } }: Call, name: string, manifest: ManifestFacts): void {
  const { subject, digest, mediaType, artifactType, size, annotations } = manifest
  if (subject === null) return
  const text = JSON.stringify(annotations)
  db.sql
    .prepare(
      `INSERT INTO referrer (name, subject, digest, media_type, artifact_type, size, annotations, added_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    )
    .run(
      ...[name, subject, digest, mediaType, artifactType, size],
      ...[text.length > ANNOTATIONS_LIMIT_CHARS ? "{}" : text, clock()],
    )
}

/** The manifests that refer to this one (distribution-spec 1.1, "Listing Referrers"), those of one type where the query asks so. */
export function listReferrers({ registry, response, url }: Call, name: string, subject: Digest): void {
  const type = url.searchParams.get("artifactType")
  const rows = registry.db.sql
    .prepare(
      `SELECT digest, media_type AS mediaType, artifact_type AS artifactType, size, annotations FROM referrer
       WHERE name = ? AND subject = ? AND coalesce(?, artifact_type) = artifact_type
       ORDER BY added_at, digest LIMIT ?`,
    )
    .all(name, subject, type, LISTED_AT_MOST) as unknown as ReferrerRow[]
  const manifests = rows.map(row => ({ ...row, annotations: JSON.parse(row.annotations) }))
  const headers = {
    "Content-Type": OCI_INDEX,
    ...(type !== null && { "OCI-Filters-Applied": "artifactType" }),
  }
  response.writeHead(200, headers).end(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }))
}
