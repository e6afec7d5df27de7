import { createWriteStream } from "node:fs"
import { mkdir, rename } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import type { NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { JobStatus } from "../../protocol/job.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { BlobTransfer } from "../blob/transfer.ts"

/**
 * Downloads a finished job's results into a folder, each checked against its digest before it appears there.
 * @throws Fault `job-unfinished`, or of the transfer.
 */
export async function fetchResults(
  job: JobStatus,
  folder: string,
  store: BlobStore,
  transfer: BlobTransfer,
  signal: AbortSignal,
): Promise<(NamedBlob & { path: string })[]> {
  if (job.state !== "done") throw unfinished(job)
  await mkdir(folder, { recursive: true })
  const files = []
  for (const blob of job.results) {
    await transfer.download(blob, signal)
    const path = join(folder, blob.name)
    await pipeline(store.read(blob.digest), createWriteStream(`${path}.partial`))
    await rename(`${path}.partial`, path)
    files.push({ ...blob, path })
  }
  return files
}

function unfinished({ id, state, reason }: JobStatus): Fault {
  const why = reason === null ? "" : `: ${reason}`
  return new Fault("job-unfinished", `${id} has no results: it is ${state}${why}.`, {
    hint: `Wait for it with \`zg-agent job status ${id} --follow\`, then fetch again.`,
  })
}
