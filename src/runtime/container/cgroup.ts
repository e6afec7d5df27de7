import { readFile } from "node:fs/promises"

const ROOT = "/sys/fs/cgroup"

/**
 * CPU seconds that a container has used so far, from its cgroup (v2 `cpu.stat`, v1 `cpuacct.usage`); null where it cannot be read,
 * as with an engine in a virtual machine. The cgroup ends with the container, so it is sampled while that runs.
 * @param pid any process of the container, as this machine numbers it.
 */
export async function cpuSecondsOf(pid: number): Promise<number | null> {
  try {
    return await readCpu(await readFile(`/proc/${pid}/cgroup`, "utf8"))
  } catch {
    return null
  }
}

async function readCpu(membership: string): Promise<number | null> {
  const place = cpuCgroup(membership)
  if (place === null) return null
  if (place.version === 1) return Number(await readFile(`${ROOT}/${place.path}/cpuacct.usage`, "utf8")) / 1e9
  const micros = /^usage_usec (\d+)$/m.exec(await readFile(`${ROOT}/${place.path}/cpu.stat`, "utf8"))?.[1]
  return micros === undefined ? null : Number(micros) / 1e6
}

/** Which cgroup accounts for the CPU, from `/proc/<pid>/cgroup` (cgroups(7)): the v1 controller where there is one, else v2's. */
export function cpuCgroup(membership: string): { version: 1 | 2; path: string } | null {
  const entries = membership.split("\n").map(line => /^\d+:([^:]*):\/(.*)$/.exec(line))
  for (const entry of entries) {
    const [, controllers = "", path = ""] = entry ?? []
    // The folder is called after all controllers of the hierarchy, such as `cpu,cpuacct`.
    if (controllers.split(",").includes("cpuacct")) return { version: 1, path: `${controllers}/${path}` }
  }
  const unified = entries.find(entry => entry?.[1] === "" && entry[0].startsWith("0:"))
  return unified?.[2] ? { version: 2, path: unified[2] } : null
}
