import type { Limits, Resources } from "../../protocol/shard-spec.ts"
import { SECCOMP_PATH } from "./seccomp.ts"

/** One flag of the engine and what it keeps a shard from. */
export interface Wall {
  flag: string
  stops: string
}

/** A set of walls by name. Each but the strict one gives something up, and says what. */
export interface Profile {
  summary: string
  /** What the owner gives up by choosing it; null for the strict one. */
  cost: string | null
  /** Whether a shard may run what it writes to /tmp. */
  tmp: "noexec" | "exec"
}

export const PROFILES = {
  strict: {
    summary: "Everything that a shard does not need is closed.",
    cost: null,
    tmp: "noexec",
  },
  jit: {
    summary: "As strict, but a shard may run what it writes to /tmp, as torch.compile and Triton do.",
    cost: "What a shard writes to /tmp can be run and loaded. Code in memory alone can run in either profile. All other walls stay.",
    tmp: "exec",
  },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof PROFILES
export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[]

/** Before the path of the profile, which differs between machines where the profile does not. */
export const SECCOMP_OPTION = "--security-opt=seccomp="
export const SHARD_USER = "65532:65532"
/** What Docker accepts at least; a smaller shard gets this much. */
const MEMORY_FLOOR_MIB = 6

/** What no spec can change. */
const FIXED: readonly Wall[] = [
  {
    // The agent pulls by digest beforehand.
    flag: "--pull=never",
    stops: "running something else than what was leased, under the same name",
  },
  { flag: `--user=${SHARD_USER}`, stops: "acting as root, or as any user of this machine" },
  {
    flag: "--network=none",
    stops: "reaching the internet, your network, the marketplace or a cloud's metadata address",
  },
  {
    // An address for documentation (RFC 5737), where nothing ever answers.
    flag: "--dns=192.0.2.77",
    stops: "learning the address of your network's name server",
  },
  { flag: "--dns-search=.", stops: "learning your network's domain" },
  { flag: "--read-only", stops: "changing the image, and filling the disk through it" },
  { flag: "--cap-drop=ALL", stops: "everything that root's capabilities allow" },
  {
    flag: "--security-opt=no-new-privileges:true",
    stops: "gaining rights through a set-uid program or file capabilities",
  },
  {
    flag: `${SECCOMP_OPTION}${SECCOMP_PATH}`,
    stops: "calls of the kernel that training does not need: namespaces, tracing, io_uring, keyrings, bpf",
  },
  { flag: "--ipc=private", stops: "shared memory and semaphores of other programs" },
  { flag: "--cgroupns=private", stops: "learning where the container stands on this machine" },
  { flag: "--init", stops: "leaving dead processes behind, and ignoring the signal to end" },
  { flag: "--restart=no", stops: "coming back without the agent" },
  { flag: "--no-healthcheck", stops: "an image's own command beside the shard's" },
  { flag: "--stop-signal=SIGTERM", stops: "an image that asks for a signal it can ignore" },
  { flag: "--hostname=shard", stops: "learning this machine's name" },
  { flag: "--workdir=/shard", stops: "starting in a folder of the image's choice" },
  {
    flag: "--oom-score-adj=500",
    stops: "your own programs being ended before it when memory runs out",
  },
]

/** All flags that wall a shard off, in the order the engine is given them. */
export function wallsOf(
  profile: ProfileName,
  limits: Limits,
  resources: Resources,
  graceMs: number,
): readonly Wall[] {
  return [
    ...FIXED,
    ...limitWalls(limits, resources),
    tmpWall(profile, limits),
    ...logWalls(limits),
    {
      flag: `--stop-timeout=${Math.ceil(graceMs / 1000)}`,
      stops: "ignoring the request to end for longer than this",
    },
  ]
}

function limitWalls(limits: Limits, resources: Resources): Wall[] {
  const memoryMiB = Math.max(MEMORY_FLOOR_MIB, resources.memoryMiB)
  // The limit holds for every file wherever it lies, so the roomiest place decides; the totals have limits of their own.
  const fileBytes = Math.max(limits.outMiB, limits.checkpointMiB, limits.tmpMiB, limits.shmMiB) * 2 ** 20
  return [
    { flag: `--pids-limit=${limits.pids}`, stops: "a fork bomb" },
    { flag: `--memory=${memoryMiB}m`, stops: "taking more memory than was leased" },
    // Equal to --memory: none.
    { flag: `--memory-swap=${memoryMiB}m`, stops: "taking swap" },
    // The engine refuses more than nine decimals, which a third of a CPU has.
    {
      flag: `--cpus=${Math.round(resources.cpus * 1000) / 1000}`,
      stops: "taking more cores than were leased",
    },
    {
      flag: `--ulimit=nofile=${limits.openFiles}:${limits.openFiles}`,
      stops: "holding more files open than was leased",
    },
    { flag: "--ulimit=core=0:0", stops: "leaving its memory on the disk" },
    { flag: "--ulimit=msgqueue=0:0", stops: "keeping memory of the kernel's in message queues" },
    { flag: `--ulimit=fsize=${fileBytes}:${fileBytes}`, stops: "filling a disk with one file" },
    { flag: `--shm-size=${limits.shmMiB}m`, stops: "filling /dev/shm" },
  ]
}

function tmpWall(profile: ProfileName, { tmpMiB }: Limits): Wall {
  const { tmp } = PROFILES[profile]
  const stops = tmp === "noexec" ? "filling /tmp, and running what it wrote there" : "filling /tmp"
  return { flag: `--tmpfs=/tmp:rw,${tmp},nosuid,nodev,size=${tmpMiB}m,mode=1777`, stops }
}

function logWalls({ logMiB }: Limits): Wall[] {
  return [
    { flag: "--log-driver=local", stops: "a log without a limit, or sent elsewhere" },
    // Two files of half the size: with one, the whole log would go when it is full.
    { flag: `--log-opt=max-size=${logMiB * 512}k`, stops: "filling the disk with output" },
    { flag: "--log-opt=max-file=2", stops: "the same, with many files" },
    { flag: "--log-opt=compress=false", stops: "costing you the CPU time to pack its output" },
  ]
}
