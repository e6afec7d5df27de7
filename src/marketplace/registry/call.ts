import type { IncomingMessage, ServerResponse } from "node:http"
import type { Logger } from "pino"
import type { BlobStore } from "../../store/blob-store.ts"
import type { Database } from "../../store/database.ts"

/** The requests that are writing to an upload now, and when they are done. */
export type Uploads = Map<string, { request: IncomingMessage; done: Promise<void> }>

/** What the endpoint works on. */
export interface Registry {
  db: Database
  blobs: BlobStore
  uploads: Uploads
  /** Whether this bearer token admits to the registry. */
  admits: (token: string) => boolean
  clock: () => number
  log: Logger
}

/** One request, and the answer under way. */
export interface Call {
  registry: Registry
  request: IncomingMessage
  response: ServerResponse
  url: URL
}

/** Sends headers and no body. */
export function reply({ response }: Call, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "Content-Length": "0", ...headers }).end()
}
