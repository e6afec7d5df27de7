import { z } from "zod"

/** A limit as the kernel has it: a number, or `max` where there is none. */
const Limit = z.union([z.number().min(0), z.literal("max")])

/** A node under `/dev` that belongs to a GPU, and what a real open of it said. */
export const ProbedDevice = z.strictObject({
  path: z.string().startsWith("/dev/"),
  opens: z.boolean(),
  /** The name of the errno, such as `EPERM` where the engine's device policy refuses; null where it opens. */
  error: z.string().nullable(),
})
export type ProbedDevice = z.infer<typeof ProbedDevice>

/** What the probe saw from inside the sandbox; null is what this kernel or runtime does not tell. */
export const ProbeReport = z.strictObject({
  uid: z.int().min(0),
  gid: z.int().min(0),
  groups: z.array(z.int().min(0)),
  /** Hex bit sets, as in `/proc/self/status` (proc_pid_status(5)). */
  capEff: z
    .string()
    .regex(/^[0-9a-f]+$/)
    .nullable(),
  capBnd: z
    .string()
    .regex(/^[0-9a-f]+$/)
    .nullable(),
  noNewPrivs: z.boolean().nullable(),
  /** 0 none, 1 strict, 2 filter; gVisor filters outside of what it shows and says 0. */
  seccompMode: z.int().min(0).max(2).nullable(),
  /** Whether writing to the image's own files was refused as read-only. */
  rootReadOnly: z.boolean().nullable(),
  /** Whether a program in `/tmp` was refused to start. */
  tmpNoexec: z.boolean().nullable(),
  tmpBytes: z.int().min(0).nullable(),
  shmBytes: z.int().min(0).nullable(),
  /** Network interfaces that are up, the loopback among them. */
  interfaces: z.array(z.string()).nullable(),
  /** Namespaces that are the machine's own first ones, such as `ipc`. */
  hostNamespaces: z.array(z.string()).nullable(),
  memoryLimitBytes: Limit.nullable(),
  /** Swap alone, on top of the memory. */
  swapLimitBytes: Limit.nullable(),
  pidsLimit: Limit.nullable(),
  /** In CPUs. */
  cpuQuota: Limit.nullable(),
  /** The hard ones: soft limits can be raised to them. `fsize` and `core` are in bytes. */
  limits: z.strictObject({ nofile: Limit, core: Limit, fsize: Limit }),
  kernel: z.string(),
  /** The name of the first process. */
  pid1: z.string().nullable(),
  hostname: z.string(),
  /** `LD_PRELOAD` and all `NVIDIA_*` variables that are set. */
  env: z.record(z.string(), z.string()),
  devices: z.array(ProbedDevice),
  /** Names under `/dev` that are neither in every container nor a GPU's. */
  otherDevices: z.array(z.string()),
})
export type ProbeReport = z.infer<typeof ProbeReport>
