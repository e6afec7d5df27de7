import { randomUUID } from "node:crypto"
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
  truncate,
  writeFile,
} from "node:fs/promises"
import { dirname, join } from "node:path"
import { execa } from "execa"
import { Fault, isFault } from "../../protocol/fault.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import { stderrFact } from "./docker.ts"
import { folderBytes } from "./folder-size.ts"
import { SHARD_USER } from "./policy.ts"

const CALL_LIMIT_MS = 60_000
/** What ext4 needs for itself, so that a shard can use all that its limit promises. */
const OVERHEAD_SHARE = 0.04
const OVERHEAD_MIB = 4
const INDEX_SHARE = 0.005
const INDEX_BYTES = 16_384
/** One file or folder for each so many bytes: names cost the host nothing, but they cannot be without end either. */
const BYTES_PER_INODE = 16_384
const TRIAL_MIB = 1
const MIB = 2 ** 20

/** How a shard's writable folders are kept within their limits. */
export interface Disks {
  /** `mounted`: each folder is a file system of its limit's size. `watched`: they are measured while the shard runs. */
  readonly kind: "mounted" | "watched"
  /** Makes a folder that the shard may write; doing it again keeps what is in it. Throws Fault `disk-full`. */
  open(folder: string, limitMiB: number, signal: AbortSignal): Promise<void>
  /** Makes the folder an empty one again, whatever a shard left in it. Throws Fault `disk-full`. */
  renew(folder: string, limitMiB: number, signal: AbortSignal): Promise<void>
  /** What the folder takes up, in bytes; counting may end soon after the limit. */
  usedBytes(folder: string, limitBytes: number): Promise<number>
  /** Takes the folder away from the shard; what is in it stays on the disk until it is removed. */
  close(folder: string): Promise<void>
}

/**
 * The strictest way that works here: file systems of their own need root and a kernel with loop devices. It is tried, not assumed;
 * whether the engine sees what is mounted, the jail test finds out.
 * @param root where the shards' folders will be.
 * @throws Fault `disk-full`: for want of room nothing weaker is taken.
 */
export async function chooseDisks(root: string, signal: AbortSignal): Promise<Disks> {
  if (process.getuid?.() !== 0) return watchedDisks
  const trial = await makeTrial(root).catch(error => {
    throw asDiskFull(error, root)
  })
  const folder = join(trial, "disk")
  try {
    await mountedDisks.open(folder, TRIAL_MIB, signal)
    return mountedDisks
  } catch (error) {
    signal.throwIfAborted()
    if (isFault(error, "disk-full")) throw error
    return watchedDisks
  } finally {
    await mountedDisks.close(folder).catch(() => {})
    await rm(trial, { recursive: true, force: true })
  }
}

async function makeTrial(root: string): Promise<string> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  return mkdtemp(join(root, ".trial-"))
}

/** Plain folders, for an agent without root. */
export const watchedDisks: Disks = {
  kind: "watched",
  async open(folder) {
    await mkdir(folder, { recursive: true })
    await giveToShard(folder)
  },
  async renew(folder, limitMiB, signal) {
    // Folders that a shard made inside are closed to an agent that is not root: they go aside, until a sweep can remove them.
    const aside = `${folder}.${randomUUID()}`
    await rename(folder, aside).catch(unlessGone)
    await rm(aside, { recursive: true, force: true }).catch(() => {})
    await this.open(folder, limitMiB, signal)
  },
  usedBytes: folderBytes,
  async close() {},
}

/**
 * An ext4 file system in a file beside each folder, `out.img` beside `out`. Its blocks are reserved where the host's file system can do
 * that, so that a shard that was taken on does not meet a full disk later.
 */
export const mountedDisks: Disks = {
  kind: "mounted",
  async open(folder, limitMiB, signal) {
    if (await isMounted(folder)) return
    // A shard whose engine does not see the mount finds this folder, and cannot write to it: the limit fails closed.
    await mkdir(folder, { recursive: true, mode: 0o000 })
    await chmod(folder, 0o000)
    const image = imageOf(folder)
    if (!(await exists(image))) await format(image, limitMiB, signal)
    await call("mount", ["-t", "ext4", "-o", "loop,nosuid,nodev,noexec,noatime", image, folder], signal)
    await rmdir(join(folder, "lost+found")).catch(() => {})
    await giveToShard(folder)
  },
  async renew(folder, limitMiB, signal) {
    await this.close(folder)
    await rm(imageOf(folder), { force: true })
    await this.open(folder, limitMiB, signal)
  },
  async usedBytes(folder) {
    const { blocks, bfree, bsize } = await statfs(folder)
    // The root folder and the indexes of large files are not the shard's bytes.
    return Math.max(0, (blocks - bfree) * bsize - INDEX_BYTES - blocks * bsize * INDEX_SHARE)
  },
  async close(folder) {
    // Lazy: a process of the engine that still looks at it must not keep the folder.
    if (await isMounted(folder)) await call("umount", ["--lazy", folder], AbortSignal.timeout(CALL_LIMIT_MS))
  },
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error
}

function imageOf(folder: string): string {
  return `${folder}.img`
}

async function format(image: string, limitMiB: number, signal: AbortSignal): Promise<void> {
  const bytes = Math.ceil(limitMiB * (1 + OVERHEAD_SHARE) + OVERHEAD_MIB) * MIB
  const draft = `${image}.draft`
  await rm(draft, { force: true })
  await writeFile(draft, "", { mode: 0o600 })
  await reserve(draft, bytes, signal)
  const features = ["-O", "^has_journal,^resize_inode", "-m", "0", "-i", String(BYTES_PER_INODE)]
  const options = ["-E", `root_owner=${SHARD_USER},nodiscard`]
  await call("mkfs.ext4", ["-q", "-F", ...features, ...options, draft], signal)
  await rename(draft, image)
}

async function reserve(file: string, bytes: number, signal: AbortSignal): Promise<void> {
  const { exitCode, stderr } = await run("fallocate", ["--length", String(bytes), file], signal)
  if (exitCode === 0) return
  if (/no space left|disk quota/i.test(stderr)) throw diskFull(bytes)
  // Some file systems cannot reserve; then the file grows as it is written.
  await truncate(file, bytes)
}

/** Root gives a folder away, or a file in one; anyone else opens it to all, inside a parent that only the owner enters. */
export async function giveToShard(path: string, kind: "folder" | "file" = "folder"): Promise<void> {
  const mode = kind === "folder" ? 0o777 : 0o666
  if (process.getuid?.() !== 0) return chmod(path, mode)
  const [uid = 0, gid = 0] = SHARD_USER.split(":").map(Number)
  await chown(path, uid, gid)
  await chmod(path, mode & 0o700)
}

/** A mount point lies on another device than its parent. */
async function isMounted(folder: string): Promise<boolean> {
  const [own, above] = await Promise.all([folder, dirname(folder)].map(path => stat(path).catch(() => null)))
  return own != null && above != null && own.dev !== above.dev
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function call(program: string, args: string[], signal: AbortSignal): Promise<void> {
  const { exitCode, stderr } = await run(program, args, signal)
  if (exitCode === 0) return
  if (/no space left/i.test(stderr)) throw diskFull(null)
  throw new Error(`${program} failed: ${stderrFact(stderr)}`)
}

async function run(program: string, args: string[], signal: AbortSignal) {
  const result = await execa(program, args, {
    reject: false,
    stdin: "ignore",
    stdout: "ignore",
    cancelSignal: signal,
    timeout: CALL_LIMIT_MS,
    killSignal: "SIGKILL",
    env: { LC_ALL: "C" },
  })
  if (result.isCanceled) throw signal.reason
  return { exitCode: result.exitCode ?? -1, stderr: String(result.stderr || result.shortMessage || "") }
}

function diskFull(bytes: number | null): Fault {
  return new Fault("disk-full", "The disk has no room for what this shard may write.", {
    hint: "Free some space where ZG_HOME lies, or move it to a larger disk.",
    facts: { bytes },
  })
}
