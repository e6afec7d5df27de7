import { type Fault, isFault } from "../../../protocol/fault.ts"
import type { EngineName } from "../../container/dialect.ts"
import type { EngineFacts } from "../../container/engine.ts"
import { type Finding, failed, ok } from "../check.ts"
import type { Fix } from "../fix.ts"
import type { Inspection } from "../inspection.ts"
import { engineSaid } from "../said.ts"

/** What decides how a stopped engine is started here. */
export interface Circumstances {
  hasSystemd: boolean
  isRoot: boolean
}

export const engine: Inspection = {
  id: "engine",
  title: "Container engine",
  async look(site) {
    try {
      return judgeEngine((await site.engine()).facts)
    } catch (error) {
      if (!isFault(error)) throw error
      const hasSystemd = (await site.text("proc/1/comm"))?.trim() === "systemd"
      return engineTrouble(error, { hasSystemd, isRoot: site.caller.isRoot })
    }
  },
}

export function titleOf(engine: EngineName): string {
  return engine === "docker" ? "Docker" : "Podman"
}

export function judgeEngine({
  name,
  version,
  runtime,
  filtersCalls,
  isolation,
  cgroupVersion,
}: EngineFacts): Finding {
  const rootless = isolation === "rootless" ? ", rootless" : ""
  const fact = `${titleOf(name)} ${version}${rootless}, runtime ${runtime}, cgroup v${cgroupVersion}`
  if (filtersCalls) return ok(fact)
  return failed(`${fact}, without seccomp`, {
    remedy:
      "The engine cannot filter system calls, so that no shard is started: install one that was built with seccomp, on a kernel that has it (CONFIG_SECCOMP_FILTER).",
    command: `${name} info`,
  })
}

export function engineTrouble(fault: Fault, { hasSystemd, isRoot }: Circumstances): Finding {
  if (fault.code === "engine-missing") {
    return failed(fault.message, {
      remedy: "Install Docker: from https://docs.docker.com/engine/install/, or by its own script.",
      command: "curl -fsSL https://get.docker.com | sudo sh",
    })
  }
  if (fault.facts.trouble === "not-running") {
    const command = hasSystemd ? "sudo systemctl start docker" : "sudo service docker start"
    const start: Fix = { kind: "run", argv: ["systemctl", "start", "docker"] }
    const fixes = hasSystemd && isRoot ? [start] : []
    return failed(fault.message, { remedy: "Start it.", command, fixes })
  }
  const silent = fault.code === "engine-silent" && !hasSystemd
  if (silent) return failed(fault.message, { remedy: "Restart it.", command: "sudo service docker restart" })
  const said = engineSaid(fault)
  return failed([fault.message, said].filter(Boolean).join("\n"), { remedy: fault.hint })
}
