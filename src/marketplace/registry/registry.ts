import type { IncomingMessage, ServerResponse } from "node:http"
import { isFault } from "../../protocol/fault.ts"
import { authorize } from "./authorize.ts"
import { sendBlob } from "./blobs.ts"
import { type Call, type Registry, reply } from "./call.ts"
import { getManifest, listTags, putManifest } from "./manifests.ts"
import { OciError } from "./oci-error.ts"
import { listReferrers } from "./referrers.ts"
import { findRoute, type Route } from "./route.ts"
import { cancelUpload, finishUpload, growUpload, startUpload, tellUpload } from "./uploads.ts"

/** How long a body is read that nobody wants. */
const DRAIN_LIMIT_MS = 5_000

/**
 * The registry endpoint: as much of OCI distribution-spec 1.1 as `docker push`, `docker pull` and an agent need. Who is connected
 * may read and write every name: blobs are named by what they are, and images are run by digest, so a tag decides nothing.
 */
export async function serveRegistry(registry: Registry, request: IncomingMessage, response: ServerResponse) {
  const call = { registry, request, response, url: new URL(request.url ?? "/", "http://registry") }
  try {
    authorize(call)
    await answer(call, findRoute(request.method ?? "", call.url.pathname))
  } catch (error) {
    fail(call, error)
  }
}

function answer(call: Call, route: Route): Promise<void> | void {
  switch (route.to) {
    case "root":
      return reply(call, 200, { "Docker-Distribution-Api-Version": "registry/2.0" })
    case "blob":
      return sendBlob(call, route.digest)
    case "start upload":
      return startUpload(call, route.name)
    case "tell upload":
      return tellUpload(call, route)
    case "grow upload":
      return growUpload(call, route)
    case "finish upload":
      return finishUpload(call, route)
    case "cancel upload":
      return cancelUpload(call, route)
    case "get manifest":
      return getManifest(call, route)
    case "put manifest":
      return putManifest(call, route)
    case "tags":
      return listTags(call, route.name)
    case "referrers":
      return listReferrers(call, route.name, route.digest)
    default:
      return route satisfies never
  }
}

function fail({ registry, request, response }: Call, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    // The client is gone, or has half an answer: nothing that it could still be told.
    response.destroy()
    registry.log.debug({ event: "registry.broken", url: request.url, err: error })
    return
  }
  const told = asOciError(error)
  if (!told) registry.log.error({ event: "registry.bug", url: request.url, err: error })
  const headers = { "Content-Type": "application/json", ...told?.headers }
  response.writeHead(told?.status ?? 500, headers).end(told?.body)
  if (!request.complete) drain(request)
}

/** Reads on for a moment: a client that still sends would lose the answer with a connection that is reset under it. */
function drain(request: IncomingMessage): void {
  request.resume()
  const late = setTimeout(() => request.destroy(), DRAIN_LIMIT_MS)
  request.once("close", () => clearTimeout(late))
}

function asOciError(error: unknown): OciError | undefined {
  if (error instanceof OciError) return error
  if (isFault(error, "disk-full")) return new OciError("STORAGE_FULL", error.message)
  if (isFault(error, "blob-corrupt")) return new OciError("DIGEST_INVALID", error.message)
  return undefined
}
