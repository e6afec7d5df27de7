import { z } from "zod"
import { Digest, digestOfJson, FileName, NamedBlob } from "./digest.ts"
import { Measurement } from "./measurement.ts"

/**
 * An image by digest. A name whose first part holds a dot or a colon, or is `localhost`, starts with a registry's host
 * (the rule of the Docker reference grammar); any other name lies in the marketplace's own registry.
 */
export const Image = z.strictObject({
  name: z
    .string()
    .max(255)
    .regex(
      /^([a-z0-9][a-z0-9.-]*(:\d{1,5})?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/,
      {
        message: "must be an image name in lower case, without tag",
      },
    ),
  digest: Digest,
})
export type Image = z.infer<typeof Image>

export const Device = z.enum(["cpu", "cuda", "rocm"])
export type Device = z.infer<typeof Device>

const MiB = z.int().min(1)

/** What a slot must have for this shard. */
export const Resources = z.strictObject({
  device: Device.default("cpu"),
  cpus: z.number().min(0.1).max(256).default(1),
  memoryMiB: MiB.max(1 << 21).default(1024),
  vramMiB: z.int().min(0).default(0),
  /** The least median that the card, or for `cpu` the machine, must have reached in each named figure of its capacity report, in its unit. */
  atLeast: z
    .record(Measurement.shape.name, z.number().positive())
    .refine(figures => Object.keys(figures).length <= 16, "names at most 16 figures")
    .optional(),
})
export type Resources = z.infer<typeof Resources>

/** What a shard may use up before it is stopped. */
export const Limits = z.strictObject({
  /** Wall-clock limit of the container, in milliseconds. */
  timeMs: z.int().min(1000).max(86_400_000).default(600_000),
  pids: z.int().min(1).max(4096).default(128),
  openFiles: z.int().min(16).max(65_536).default(1024),
  tmpMiB: MiB.max(4096).default(64),
  shmMiB: MiB.max(65_536).default(64),
  outMiB: MiB.max(65_536).default(64),
  checkpointMiB: MiB.max(65_536).default(64),
  logMiB: MiB.max(64).default(4),
})
export type Limits = z.infer<typeof Limits>

const EnvName = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, "must be an upper-case variable name")

/** What execve takes: no NUL byte, which would end the text early. */
const Argument = z
  .string()
  .max(4096)
  .refine(text => !text.includes("\0"), "must not hold a NUL byte")

/** What a container runs: its whole argv (the image's entrypoint is not used) and its environment. */
export const Command = z.strictObject({
  /** The program first: an engine takes an empty one for "no entrypoint" and would run the image's own command. */
  argv: z
    .array(Argument)
    .min(1)
    .max(256)
    .refine(([program]) => program !== "", "must name a program"),
  env: z.record(EnvName, Argument).default({}),
})
export type Command = z.infer<typeof Command>

export const CHECKPOINT_FILES = 64

/** A checkpoint that left its machine: plain files by name, each as a blob. */
export const Checkpoint = z
  .array(NamedBlob)
  .min(1)
  .max(CHECKPOINT_FILES)
  .refine(files => new Set(files.map(({ name }) => name)).size === files.length, "must name each file once")
export type Checkpoint = z.infer<typeof Checkpoint>

/** One container run, complete: what a lease is about and what `/shard/spec.json` holds. */
export const ShardSpec = z.strictObject({
  image: Image,
  command: Command,
  inputs: z.array(NamedBlob).max(1024),
  /** Files that leave the container; anything else in `/shard/out` is thrown away. */
  outputs: z.array(FileName).min(1).max(256),
  resources: Resources,
  limits: Limits,
  /** Whether the next host goes on from where the last one had come; without it, it begins anew. */
  checkpoints: z.literal("travel").optional(),
  /**
   * The run is cut into segments for audits: the program tells of them in the output `run-log.jsonl`, and leaves the state after each, and
   * that before the first, in `/shard/checkpoint/segments`, where its host keeps them until the proof is settled.
   */
  segments: z.literal("kept").optional(),
})
export type ShardSpec = z.infer<typeof ShardSpec>

/** The digest of what is run, as the proof names it: RFC 8785 JSON of argv and environment. */
export function commandDigest({ argv, env }: Command): Digest {
  return digestOfJson({ args: argv, entrypoint: [], env, workdir: "" })
}

export function specDigest(spec: ShardSpec): Digest {
  return digestOfJson(spec)
}
