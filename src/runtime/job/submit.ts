import { basename } from "node:path"
import type { NamedBlob } from "../../protocol/digest.ts"
import { randomId } from "../../protocol/handshake.ts"
import type { JobId, JobSpec } from "../../protocol/job.ts"
import type { Image } from "../../protocol/shard-spec.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { BlobTransfer } from "../blob/transfer.ts"
import type { Wire } from "../market/wire.ts"
import type { BatchFile, JobFile, TrainFile } from "./job-file.ts"
import { storeFile, storeText } from "./text.ts"

/** What a submission needs besides the file and the image. */
export interface Submission {
  wire: Wire
  store: BlobStore
  transfer: BlobTransfer
  /** Tells what is going on right now. */
  say: (what: string) => void
}

/**
 * Uploads what a job needs and hands it in.
 * @throws Fault of a transfer or a file, or the marketplace's refusal (`credits-short`, `job-refused`, …).
 */
export async function submitJob(
  file: JobFile,
  image: Image,
  submission: Submission,
  signal: AbortSignal,
): Promise<JobId> {
  const job =
    file.kind === "train"
      ? await trainSpec(file, image, submission)
      : await batchSpec(file, image, submission)
  for (const blob of inputsOf(job)) await submission.transfer.upload(blob, signal)
  submission.say("handing the job in")
  const { job: id } = await submission.wire.request(
    { type: "submit", key: randomId(), job },
    "submitted",
    signal,
  )
  return id
}

async function trainSpec(file: TrainFile, image: Image, { store, say }: Submission): Promise<JobSpec> {
  const { text: path, sliceKiB, heldOutKiB, ...rest } = file
  say(`uploading ${basename(path)}`)
  return { ...rest, image, ...(await storeText(path, sliceKiB << 10, heldOutKiB << 10, store)) }
}

async function batchSpec(file: BatchFile, image: Image, { store, say }: Submission): Promise<JobSpec> {
  say("uploading the inputs")
  const shards = []
  for (const { inputs: paths, ...shard } of file.shards) {
    const inputs: NamedBlob[] = []
    for (const [name, path] of Object.entries(paths)) inputs.push({ name, ...(await storeFile(path, store)) })
    shards.push({ ...shard, inputs })
  }
  return { ...file, image, shards }
}

function inputsOf(job: JobSpec) {
  return job.kind === "train" ? [...job.text, job.heldOut] : job.shards.flatMap(({ inputs }) => inputs)
}
