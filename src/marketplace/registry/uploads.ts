import { Digest } from "../../protocol/digest.ts"
import { isFault } from "../../protocol/fault.ts"
import { randomId } from "../../protocol/handshake.ts"
import { type Call, type Registry, reply } from "./call.ts"
import { OciError } from "./oci-error.ts"
import { offsetIn } from "./range.ts"
import { digestIn, type UploadRoute } from "./route.ts"

/** No blob may be larger. */
const BLOB_LIMIT_BYTES = 64 * 2 ** 30

/** An upload that nobody finished for this long is thrown away at the next start. */
const UPLOAD_LIFE_MS = 7 * 86_400_000

/** Frees the disk of uploads that nobody will finish. */
export async function discardOldUploads({ db, blobs, clock }: Pick<Registry, "db" | "blobs" | "clock">) {
  const before = clock() - UPLOAD_LIFE_MS
  const old = db.sql.prepare("SELECT id FROM upload WHERE started_at < ?").all(before) as { id: string }[]
  for (const { id } of old) await blobs.discard(partialOf({ id }))
  await db.write(() => db.sql.prepare("DELETE FROM upload WHERE started_at < ?").run(before))
}

/** Opens an upload; with `mount` of a blob that is here, or with `digest` and the whole body, it is finished at once. */
export async function startUpload(call: Call, name: string): Promise<void> {
  const { registry, url } = call
  const mounted = Digest.safeParse(url.searchParams.get("mount")).data
  if (mounted && (await registry.blobs.size(mounted)) !== null) return created(call, name, mounted)
  const route = { name, id: randomId() }
  const { db, clock } = registry
  await db.write(() =>
    db.sql.prepare("INSERT INTO upload (id, started_at) VALUES (?, ?)").run(route.id, clock()),
  )
  if (url.searchParams.has("digest")) return finishUpload(call, route)
  reply(call, 202, { Location: locationOf(route), "Docker-Upload-UUID": route.id })
}

/** Says how much of the upload is here. Nothing has no range: `0-0` would be one byte. */
export async function tellUpload(call: Call, route: UploadRoute): Promise<void> {
  demandKnown(call, route)
  const received = await call.registry.blobs.received(partialOf(route))
  reply(call, 204, { ...progressOf(route), ...(received > 0 && { Range: `0-${received - 1}` }) })
}

/** Appends the body. What arrived before a connection broke stays. */
export async function growUpload(call: Call, route: UploadRoute): Promise<void> {
  demandKnown(call, route)
  const received = await append(call, route)
  reply(call, 202, { ...progressOf(route), Range: `0-${Math.max(0, received - 1)}` })
}

/** Appends the body, if there is one, and makes the upload the blob that its digest says. */
export async function finishUpload(call: Call, route: UploadRoute): Promise<void> {
  const { registry, url } = call
  const digest = digestIn(url.searchParams.get("digest"))
  // A client that lost the answer asks again.
  if (!isKnown(call, route) && (await registry.blobs.size(digest)) !== null)
    return created(call, route.name, digest)
  demandKnown(call, route)
  await append(call, route)
  try {
    await registry.blobs.seal(partialOf(route), digest)
  } catch (error) {
    if (isFault(error, "blob-corrupt")) await forget(call, route)
    throw error
  }
  await forget(call, route)
  created(call, route.name, digest)
}

export async function cancelUpload(call: Call, route: UploadRoute): Promise<void> {
  demandKnown(call, route)
  await interrupt(call, route)
  await call.registry.blobs.discard(partialOf(route))
  await forget(call, route)
  reply(call, 204)
}

/**
 * Appends a request's body and returns the upload's size.
 * @throws OciError `RANGE_INVALID` when the body does not begin where the upload ends.
 */
async function append(call: Call, route: UploadRoute): Promise<number> {
  const { registry, request } = call
  await interrupt(call, route)
  const writing = Promise.withResolvers<void>()
  registry.uploads.set(route.id, { request, done: writing.promise })
  try {
    const received = await registry.blobs.received(partialOf(route))
    const offset = offsetIn(request.headers["content-range"]) ?? received
    if (offset !== received)
      throw new OciError("RANGE_INVALID", `The upload has ${received} bytes; go on from there.`, {
        Location: locationOf(route),
        ...(received > 0 && { Range: `0-${received - 1}` }),
      })
    // The connection stays when the disk is full, so that the client is told.
    const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
    return await registry.blobs.append(partialOf(route), body, BLOB_LIMIT_BYTES)
  } finally {
    registry.uploads.delete(route.id)
    writing.resolve()
  }
}

/** Two requests cannot append at once. The earlier one is most likely a connection that broke unnoticed. */
async function interrupt({ registry }: Call, { id }: UploadRoute): Promise<void> {
  for (let earlier = registry.uploads.get(id); earlier; earlier = registry.uploads.get(id)) {
    earlier.request.destroy()
    await earlier.done
  }
}

function demandKnown(call: Call, route: UploadRoute): void {
  if (!isKnown(call, route))
    throw new OciError("BLOB_UPLOAD_UNKNOWN", "There is no such upload; start one anew.")
}

function isKnown({ registry }: Call, { id }: UploadRoute): boolean {
  return registry.db.sql.prepare("SELECT 1 FROM upload WHERE id = ?").get(id) !== undefined
}

async function forget({ registry: { db } }: Call, { id }: UploadRoute): Promise<void> {
  await db.write(() => db.sql.prepare("DELETE FROM upload WHERE id = ?").run(id))
}

function created(call: Call, name: string, digest: Digest): void {
  reply(call, 201, { Location: `/v2/${name}/blobs/${digest}`, "Docker-Content-Digest": digest })
}

function progressOf(route: UploadRoute): Record<string, string> {
  return { Location: locationOf(route), "Docker-Upload-UUID": route.id }
}

function locationOf({ name, id }: UploadRoute): string {
  return `/v2/${name}/blobs/uploads/${id}`
}

function partialOf({ id }: Pick<UploadRoute, "id">): string {
  return `upload-${id}`
}
