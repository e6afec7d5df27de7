import { PROFILES, SHARD_USER } from "../container/policy.ts"
import { sandboxArgs } from "../container/sandbox.ts"
import type { Expected } from "./honoured.ts"
import type { ProbeReport } from "./report.ts"

const MIB = 2 ** 20
/** The engine rounds a CPU quota to whole microseconds of a period of 100 ms. */
const CPU_ROUNDING = 0.001

/** One flag against the report. */
export interface FlagCheck {
  flag: string
  wanted: string
  /** Null where this kernel or runtime does not tell. */
  seen: string | null
  holds: boolean
}

type Check = (report: ProbeReport, expected: Expected) => FlagCheck | FlagCheck[]

/** Every wall of the sandbox that can be seen from inside. */
export const CHECKS: readonly Check[] = [
  user,
  capabilities,
  privileges,
  files,
  isolated,
  limits,
  environment,
  devices,
]

function user({ uid, gid, groups }: ProbeReport, { placement: { gpu } }: Expected): FlagCheck[] {
  const own = Number(SHARD_USER.split(":")[1])
  const given = gpu.device === "rocm" ? [gpu.group] : []
  const more = groups.filter(group => group !== own)
  const seen = more.filter(group => !given.includes(group))
  return [
    equal(`--user=${SHARD_USER}`, SHARD_USER, `${uid}:${gid}`),
    {
      flag: "--group-add",
      wanted: listed(given),
      seen: listed(more),
      holds: seen.length === 0 && given.every(group => groups.includes(group)),
    },
  ]
}

function capabilities({ capEff, capBnd }: ProbeReport): FlagCheck {
  const seen = capEff === null || capBnd === null ? null : `effective ${capEff}, bounding ${capBnd}`
  return {
    flag: "--cap-drop=ALL",
    wanted: "none",
    seen,
    holds: /^effective 0+, bounding 0+$/.test(seen ?? ""),
  }
}

function privileges({ noNewPrivs, seccompMode }: ProbeReport, { isolation }: Expected): FlagCheck[] {
  // gVisor filters its own process on the machine and shows its guest no filter.
  const mode = isolation === "gvisor" ? null : seccompMode
  return [
    equal("--security-opt=no-new-privileges:true", "true", noNewPrivs),
    equal("--security-opt=seccomp", "2", mode),
  ]
}

function files(report: ProbeReport, { placement: { spec, profile = "strict" } }: Expected): FlagCheck[] {
  const { tmpMiB, shmMiB } = spec.limits
  const noexec = equal("--tmpfs=/tmp:noexec", "true", report.tmpNoexec)
  return [
    equal("--read-only", "true", report.rootReadOnly),
    ...(PROFILES[profile].tmp === "noexec" ? [noexec] : []),
    equal("--tmpfs=/tmp:size", tmpMiB * MIB, report.tmpBytes),
    equal("--shm-size", shmMiB * MIB, report.shmBytes),
  ]
}

function isolated(report: ProbeReport): FlagCheck[] {
  const { interfaces, hostNamespaces: shared } = report
  return [
    equal("--network=none", "lo", interfaces && [...interfaces].sort().join(" ")),
    ...(["ipc", "cgroup"] as const).map(name =>
      equal(
        name === "ipc" ? "--ipc=private" : "--cgroupns=private",
        "own",
        shared && ownOrHost(shared, name),
      ),
    ),
    equal("--pid", "own", shared && ownOrHost(shared, "pid")),
    equal("--hostname=shard", "shard", report.hostname),
    { flag: "--init", wanted: "an init", seen: report.pid1, holds: report.pid1 !== "probe" },
  ]
}

function ownOrHost(shared: readonly string[], name: string): string {
  return shared.includes(name) ? "the host's" : "own"
}

function limits(report: ProbeReport, { placement: { spec }, isolation }: Expected): FlagCheck[] {
  const { memoryMiB, cpus } = spec.resources
  // What gVisor shows as cgroups is its own invention; the limits hold outside of it.
  const counted = <T>(seen: T) => (isolation === "gvisor" ? null : seen)
  const quota = counted(report.cpuQuota)
  const held = typeof quota === "number" && Math.abs(quota - cpus) <= CPU_ROUNDING
  return [
    equal("--memory", memoryMiB * MIB, counted(report.memoryLimitBytes)),
    equal("--memory-swap", 0, counted(report.swapLimitBytes)),
    equal("--pids-limit", spec.limits.pids, counted(report.pidsLimit)),
    { flag: "--cpus", wanted: String(cpus), seen: quota === null ? null : String(quota), holds: held },
    equal("--ulimit=nofile", spec.limits.openFiles, report.limits.nofile),
    equal("--ulimit=core", 0, report.limits.core),
    equal("--ulimit=fsize", fileBytes(spec.limits), report.limits.fsize),
  ]
}

/** As the sandbox has it: one limit for all files, so the roomiest place decides. */
function fileBytes(limits: Expected["placement"]["spec"]["limits"]): number {
  return Math.max(limits.outMiB, limits.checkpointMiB, limits.tmpMiB, limits.shmMiB) * MIB
}

/** Variables as the sandbox's own argv sets them. */
function environment({ env }: ProbeReport, { placement }: Expected): FlagCheck[] {
  return sandboxArgs(placement).flatMap(arg => {
    const [, name = "", value = ""] = /^--env=(LD_PRELOAD|NVIDIA_\w+)=(.*)$/s.exec(arg) ?? []
    return name === "" ? [] : equal(`--env=${name}`, `"${value}"`, name in env ? `"${env[name]}"` : "not set")
  })
}

function devices({ otherDevices }: ProbeReport, { isolation }: Expected): FlagCheck {
  // gVisor makes these two itself; they are not the machine's.
  const made = isolation === "gvisor" ? ["fuse", "net"] : []
  const seen = otherDevices.filter(name => !made.includes(name))
  return equal("--device", "none", listed(seen))
}

function equal(flag: string, wanted: string | number, seen: string | number | boolean | null): FlagCheck {
  return {
    flag,
    wanted: String(wanted),
    seen: seen === null ? null : String(seen),
    holds: String(seen) === String(wanted),
  }
}

function listed(values: readonly (string | number)[]): string {
  return values.length === 0 ? "none" : values.join(" ")
}
