import type { NamedBlob } from "../../protocol/digest.ts"
import { randomId } from "../../protocol/handshake.ts"
import type { BatchJob, JobId, JobSpec, PaidFrom, PayFrom, TrainJob } from "../../protocol/job.ts"
import type { Image } from "../../protocol/shard-spec.ts"
import type { BlobStore } from "../../store/blob-store.ts"
import type { BlobTransfer } from "../blob/transfer.ts"
import type { Wire } from "../market/wire.ts"
import type { BatchFile, JobFile, TrainFile } from "./job-file.ts"
import { storeFile, storeText } from "./text.ts"

/** What a submission needs besides the file. */
export interface Submission {
  wire: Wire
  store: BlobStore
  transfer: BlobTransfer
  /** The image by digest, at a place where agents can pull it. */
  publishImage: () => Promise<Image>
  /** Which of this identity's credits pay. */
  payFrom: PayFrom
  /** Tells what is going on right now. */
  say: (what: string) => void
}

/**
 * Reads what a job needs, publishes its image, uploads its inputs and hands it in: what can be wrong on this machine shows first.
 * @throws Fault of a file, the image or a transfer, or the marketplace's refusal (`credits-short`, `job-refused`, …).
 */
export async function submitJob(
  file: JobFile,
  submission: Submission,
  signal: AbortSignal,
): Promise<Submitted> {
  const { store, transfer, wire, payFrom, say } = submission
  say("reading its inputs")
  const draft = file.kind === "train" ? await trainDraft(file, store) : await batchDraft(file, store)
  say(`publishing ${file.image}`)
  const job: JobSpec = { ...draft, image: await submission.publishImage() }
  say("uploading its inputs")
  for (const blob of inputsOf(job)) await transfer.upload(blob, signal)
  say("handing it in")
  const submit = { type: "submit", key: randomId(), job, payFrom } as const
  const { job: id, paidFrom } = await wire.request(submit, "submitted", signal)
  return { id, paidFrom }
}

export interface Submitted {
  id: JobId
  paidFrom: PaidFrom
}

type Draft<Job extends JobSpec> = Omit<Job, "image">

async function trainDraft(file: TrainFile, store: BlobStore): Promise<Draft<TrainJob>> {
  const { text: path, sliceKiB, heldOutKiB, ...rest } = file
  return { ...rest, ...(await storeText(path, sliceKiB << 10, heldOutKiB << 10, store)) }
}

async function batchDraft(file: BatchFile, store: BlobStore): Promise<Draft<BatchJob>> {
  const shards = []
  for (const { inputs: paths, ...shard } of file.shards) {
    const inputs: NamedBlob[] = []
    for (const [name, path] of Object.entries(paths)) inputs.push({ name, ...(await storeFile(path, store)) })
    shards.push({ ...shard, inputs })
  }
  return { ...file, shards }
}

function inputsOf(job: JobSpec) {
  return job.kind === "train" ? [...job.text, job.heldOut] : job.shards.flatMap(({ inputs }) => inputs)
}
