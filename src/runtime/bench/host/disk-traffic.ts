import { readFile } from "node:fs/promises"

/** Bytes that this process has had fetched from disks and sent to them so far. */
export interface DiskTraffic {
  read: number
  write: number
}

/** From `/proc/self/io` (proc_pid_io(5)); null where the system does not keep that account. */
export async function diskTraffic(path = "/proc/self/io"): Promise<DiskTraffic | null> {
  const text = await readFile(path, "utf8").catch(() => "")
  const [read, write] = ["read_bytes", "write_bytes"].map(
    name => new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1],
  )
  return read === undefined || write === undefined ? null : { read: Number(read), write: Number(write) }
}

/** What is lost to what the file system adds for itself, or had at hand. */
const SEEN_SHARE = 0.9

/** Whether the disk saw the bytes that went one way; true where nobody keeps that account. */
export function reachedDisk(
  before: DiskTraffic | null,
  after: DiskTraffic | null,
  way: keyof DiskTraffic,
  bytes: number,
): boolean {
  return before === null || after === null || after[way] - before[way] >= SEEN_SHARE * bytes
}
