import { Fault } from "../../protocol/fault.ts"

export type EngineName = "docker" | "podman"

/** What two engines say differently; the rest of their command lines is the same. */
export interface Dialect {
  /** Between the program and its command. */
  globals: readonly string[]
  /** The sandbox's argv, which is written as Docker takes it, as this engine takes it. Throws Fault `gpu-unusable`. */
  createArgs(args: readonly string[]): string[]
  /** What `info` is asked for the folder that images lie in. */
  imageFolder: string
  /** Options of a pull or push at this registry, such as `127.0.0.1:5000`. */
  registryArgs(registry: string): string[]
}

export const DOCKER: Dialect = {
  globals: [],
  imageFolder: "{{.DockerRootDir}}",
  createArgs: args => [...args],
  registryArgs: () => [],
}

export interface PodmanTraits {
  /** Podman 4.3's own init is a package of its own; a static one of another engine serves as well. Null for Podman's own. */
  initPath: string | null
  /** The highest number of processes that this machine lets anybody ask for. */
  processes: number
  rootless: boolean
  /** As `--runtime` and `--runtime-flag` take them. */
  runtime: { name: string; flags: readonly string[] } | null
}

/** Podman as its 4.3 takes it. */
export function podmanDialect(traits: PodmanTraits): Dialect {
  const { runtime } = traits
  return {
    // A start needs the runtime's own flags as much as a creation does.
    globals:
      runtime === null
        ? []
        : [`--runtime=${runtime.name}`, ...runtime.flags.map(flag => `--runtime-flag=${flag}`)],
    imageFolder: "{{.Store.GraphRoot}}",
    createArgs: args => podmanArgs(args, traits),
    registryArgs: registry => (isLoopback(registry) ? ["--tls-verify=false"] : []),
  }
}

/** What Podman does on its own account and Docker does not. */
const OWN_WAYS = [
  // A program called `init` would be given writable folders without a limit.
  "--systemd=false",
  "--sdnotify=ignore",
  // The owner's proxy, often with a password, would stand in the shard's environment.
  "--http-proxy=false",
  // `--read-only` alone mounts these writable and without a limit; only root may write here, and a shard never is.
  ...["/run", "/var/tmp"].map(path => `--tmpfs=${path}:rw,noexec,nosuid,nodev,size=1m,mode=755,notmpcopyup`),
]

function podmanArgs(args: readonly string[], { initPath, processes, rootless }: PodmanTraits): string[] {
  return [
    ...OWN_WAYS,
    ...(initPath === null ? [] : [`--init-path=${initPath}`]),
    // Podman asks for as many as the kernel has numbers, which is more than some machines let even root have; the wall is --pids-limit.
    `--ulimit=nproc=${processes}:${processes}`,
    // Otherwise outputs belong to a user id that only this user's containers have, and the agent can neither read nor remove them.
    ...(rootless ? ["--userns=keep-id:uid=65532,gid=65532"] : []),
    ...untilImage(args, podmanArg),
  ]
}

/** What gVisor needs for itself, as it counts among the container's processes: measured, 64 do not start a program and 256 do. */
const SENTRY_TASKS = 200

/** The same engine with gVisor as its runtime: to the machine each of a shard's threads is one of gVisor's, and a stub beside it. */
export function withSentry(dialect: Dialect): Dialect {
  const grown = (arg: string) => {
    const pids = /^--pids-limit=(\d+)$/.exec(arg)?.[1]
    return [pids === undefined ? arg : `--pids-limit=${2 * Number(pids) + SENTRY_TASKS}`]
  }
  return { ...dialect, createArgs: args => dialect.createArgs(untilImage(args, grown)) }
}

/** Changes options only: the last of them is `--entrypoint`, then come the image and the shard's own words. */
function untilImage(args: readonly string[], change: (arg: string) => string[]): string[] {
  const last = args.findIndex(arg => arg.startsWith("--entrypoint="))
  const end = last === -1 ? args.length : last
  return [...args.slice(0, end).flatMap(change), ...args.slice(end)]
}

function podmanArg(arg: string): string[] {
  if (arg.startsWith("--gpus=")) throw noSpecification(arg.slice("--gpus=".length))
  // A runtime stands before the command already.
  if (arg.startsWith("--runtime=")) return []
  if (arg === "--log-driver=local") return ["--log-driver=k8s-file"]
  // Without a network Podman writes no name server, and takes no word about one.
  if (/^--dns(-search)?=/.test(arg)) return []
  // One file, which begins anew when it is full.
  if (/^--log-opt=(max-file|compress)=/.test(arg)) return []
  return arg.startsWith("--tmpfs=") ? [`${arg},notmpcopyup`] : [arg]
}

function noSpecification(device: string): Fault {
  return new Fault(
    "gpu-unusable",
    "Podman gives GPUs to containers by CDI alone, and no specification names this one.",
    {
      hint: "Make one with `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, then try again.",
      facts: { device },
    },
  )
}

/** Docker speaks plain HTTP to this machine only; Podman is told to do the same. */
function isLoopback(registry: string): boolean {
  return /^(127(\.\d+){3}|localhost|\[::1\])(:\d+)?$/.test(registry)
}
