import { Fault } from "../../protocol/fault.ts"
import type { Isolation } from "../../protocol/proof.ts"
import type { EngineName } from "./dialect.ts"

/** Limits without which a shard could take the whole machine. */
export type HeldLimit = "memory" | "cpus" | "pids"

export interface Held {
  name: EngineName
  unheld: readonly HeldLimit[]
  cgroupVersion: string
  isolation: Isolation
}

const GVISOR_HINT =
  "Register gVisor without --ignore-cgroups, under which no limit reaches it, or name another runtime."

/** @throws Fault `engine-refused` when the engine cannot hold one of them: it would take the flag and pass it over. */
export function requireLimits({ name, unheld, cgroupVersion, isolation }: Held): void {
  if (unheld.length === 0) return
  const engine = name === "docker" ? "Docker" : "Podman"
  throw new Fault(
    "engine-refused",
    `${engine} cannot hold a shard to its ${listed(unheld)} on this machine.`,
    {
      hint: isolation === "gvisor" ? GVISOR_HINT : hintFor(cgroupVersion),
      facts: { trouble: "limits-not-held", unheld: unheld.join(" "), cgroupVersion },
    },
  )
}

function hintFor(cgroupVersion: string): string {
  return cgroupVersion === "1"
    ? "Without root an engine holds limits only under cgroup v2: boot with `systemd.unified_cgroup_hierarchy=1`, or use an engine that runs as root."
    : "Let systemd delegate the cpu, memory and pids controllers to this user (https://rootlesscontaine.rs/getting-started/common/cgroup2/), or use an engine that runs as root."
}

function listed(limits: readonly HeldLimit[]): string {
  const words = { memory: "memory", cpus: "share of the CPU", pids: "number of processes" }
  const [last = "", ...rest] = limits.map(limit => words[limit]).reverse()
  return rest.length === 0 ? last : `${rest.reverse().join(", ")} and ${last}`
}
