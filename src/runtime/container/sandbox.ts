import { join } from "node:path"
import { type Digest, digestOfJson } from "../../protocol/digest.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"
import { type ProfileName, SECCOMP_OPTION, wallsOf } from "./policy.ts"
import { SECCOMP_PROFILE } from "./seccomp.ts"

/** The GPU a container gets: none, one NVIDIA card by UUID, or one AMD card by its render node and that node's numeric group. */
export type GpuPlacement =
  | { device: "cpu" }
  | { device: "cuda"; uuid: string; through: "cdi" | "gpus" }
  | { device: "rocm"; renderNode: string; group: number }

/** Where one shard's files lie on the host; all are absolute paths. */
export interface ShardFolders {
  spec: string
  inputs: readonly { name: string; path: string }[]
  out: string
  checkpoint: string
}

/** By which a container is found again: two runs of one lease have the same labels. */
export interface ShardLabels {
  lease: string
  epoch: number
  spec: Digest
  /** The agent's home: agents of several owners can share an engine. */
  home: string
}

/** Everything that decides how one shard is walled off. */
export interface Placement {
  spec: ShardSpec
  /** `host/name@sha256:…` */
  image: string
  labels: ShardLabels
  folders: ShardFolders
  /** `strict` when not given. */
  profile?: ProfileName
  gpu: GpuPlacement
  /** Time between SIGTERM and SIGKILL, in milliseconds. */
  graceMs: number
  /** An engine's runtime other than its default one, such as `runsc`. */
  runtime?: string
}

const LABEL = "dev.zg-agent"

/**
 * The argv after `docker create`: all of the sandbox. A shard is hostile until proven otherwise, so that nothing in its spec can add a
 * flag, a mount or a device: spec values stand behind `=` of their own flag or behind the image.
 * @throws TypeError for a placement that would be no sandbox (a device that is not one GPU).
 */
export function sandboxArgs(placement: Placement): string[] {
  const { spec, labels, folders, image } = placement
  const [program = "", ...rest] = spec.command.argv
  return [
    ...policyArgs(placement),
    `--name=zg-${labels.lease}-${labels.epoch}`,
    ...labelArgs(labels),
    ...gpuArgs(placement.gpu),
    ...mountArgs(folders),
    ...environmentArgs(spec.command.env, placement.gpu),
    `--entrypoint=${program}`,
    image,
    ...rest,
  ]
}

/** The digest of the policy alone, without ids, paths, command and the card's name: equal policies have equal digests. */
export function flagsDigest(placement: Placement): Digest {
  const fixed = environmentArgs({}, { device: "cpu" })
  const policy = policyArgs(placement).map(byContent)
  return digestOfJson([...policy, ...fixed, `gpu=${placement.gpu.device}`])
}

/** Where this machine keeps the filter of system calls says nothing; what is in it does. */
function byContent(arg: string): string {
  return arg.startsWith(SECCOMP_OPTION) ? SECCOMP_OPTION + digestOfJson(SECCOMP_PROFILE) : arg
}

/** Labels as `--filter` and `--label` take them, such as `dev.zg-agent.lease=…`. */
export function labelsOf(labels: Partial<ShardLabels>): string[] {
  return Object.entries(labels).map(([name, value]) => `${LABEL}.${name}=${value}`)
}

function policyArgs({
  spec: { limits, resources },
  profile = "strict",
  graceMs,
  runtime,
}: Placement): string[] {
  const walls = wallsOf(profile, limits, resources, graceMs).map(({ flag }) => flag)
  return [...(runtime === undefined ? [] : [`--runtime=${runtime}`]), ...walls]
}

function labelArgs(labels: ShardLabels): string[] {
  return labelsOf(labels).map(label => `--label=${label}`)
}

function mountArgs({ spec, inputs, out, checkpoint }: ShardFolders): string[] {
  return [
    mountArg(spec, "/shard/spec.json", "readonly"),
    ...inputs.map(({ name, path }) => mountArg(path, join("/shard/in", name), "readonly")),
    mountArg(out, "/shard/out"),
    mountArg(checkpoint, "/shard/checkpoint"),
  ]
}

function mountArg(source: string, target: string, ...options: string[]): string {
  const fields = [
    "type=bind",
    `source=${source}`,
    `target=${target}`,
    "bind-propagation=rprivate",
    ...options,
  ]
  return `--mount=${fields.map(csvField).join(",")}`
}

/** Docker reads --mount and --gpus as one CSV record (RFC 4180): a comma in a path must not start another option. */
function csvField(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field
}

/** Variables by which an image or a buyer could load code into the toolkit's hook or ask it for more of the machine. */
const OVERRIDES = {
  LD_PRELOAD: "",
  NVIDIA_DRIVER_CAPABILITIES: "compute,utility",
  NVIDIA_GDRCOPY: "disabled",
  NVIDIA_GDS: "disabled",
  NVIDIA_IMEX_CHANNELS: "",
  NVIDIA_MIG_CONFIG_DEVICES: "",
  NVIDIA_MIG_MONITOR_DEVICES: "",
  NVIDIA_MOFED: "disabled",
  NVIDIA_NVSWITCH: "disabled",
} as const

function environmentArgs(env: Readonly<Record<string, string>>, gpu: GpuPlacement): string[] {
  const visible = gpu.device === "cuda" && gpu.through === "gpus" ? gpu.uuid : "void"
  const all = { HOME: "/tmp", ...env, ...OVERRIDES, NVIDIA_VISIBLE_DEVICES: visible }
  return Object.entries(all).map(([name, value]) => `--env=${name}=${value}`)
}

function gpuArgs(gpu: GpuPlacement): string[] {
  switch (gpu.device) {
    case "cpu":
      return []
    case "cuda":
      if (!/^(GPU|MIG)-[0-9a-f-]{36}$/.test(gpu.uuid)) throw new TypeError(`${gpu.uuid} is no GPU's UUID`)
      return gpu.through === "cdi" ? [`--device=nvidia.com/gpu=${gpu.uuid}`] : [`--gpus="device=${gpu.uuid}"`]
    case "rocm":
      if (!/^\/dev\/dri\/renderD\d+$/.test(gpu.renderNode))
        throw new TypeError(`${gpu.renderNode} is no render node`)
      return ["--device=/dev/kfd", `--device=${gpu.renderNode}`, `--group-add=${gpu.group}`]
    default:
      return gpu satisfies never
  }
}
