import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import type { Blob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { BlobStore } from "../../store/blob-store.ts"

/** Stores a file as one blob. @throws Fault `file-unreadable`, `disk-full`. */
export async function storeFile(path: string, store: BlobStore): Promise<Blob> {
  return readable(path, async () => store.add(createReadStream(path), (await stat(path)).size))
}

/** A text's last bytes, to measure by, and what comes before them in slices of equal size, the last one shorter. */
export interface SplitText {
  text: Blob[]
  heldOut: Blob
}

/** @throws Fault `file-unreadable`, `bad-job-file` when nothing would be left to train on, `disk-full`. */
export async function storeText(
  path: string,
  sliceBytes: number,
  heldOutBytes: number,
  store: BlobStore,
): Promise<SplitText> {
  return readable(path, async () => {
    const { size } = await stat(path)
    const end = size - heldOutBytes
    if (end < 1) throw tooShort(path, size, heldOutBytes)
    const piece = (from: number, to: number) =>
      store.add(createReadStream(path, { start: from, end: to - 1 }), to - from)
    const text: Blob[] = []
    for (let start = 0; start < end; start += sliceBytes)
      text.push(await piece(start, Math.min(start + sliceBytes, end)))
    return { text, heldOut: await piece(end, size) }
  })
}

async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw new Fault(
      "file-unreadable",
      `The file ${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`,
      {
        hint: "Check the path; in a job file it is relative to the job file.",
        cause,
      },
    )
  }
}

function tooShort(path: string, size: number, heldOutBytes: number): Fault {
  return new Fault(
    "bad-job-file",
    `${path} has ${size} bytes; ${heldOutBytes} of them are held out, so none are left to train on.`,
    {
      hint: "Give a longer text, or a smaller heldOutKiB.",
    },
  )
}
