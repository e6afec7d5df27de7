import { access, constants, stat } from "node:fs/promises"
import { basename } from "node:path"
import { type Finding, failed, ok, skipped, warning } from "../check.ts"
import type { Fix } from "../fix.ts"
import type { Inspection } from "../inspection.ts"
import type { Caller, Site } from "../site.ts"

const KFD = "/dev/kfd"

export interface Node {
  path: string
  /** Number of the group that may use it; null where the node is missing. */
  group: number | null
  usable: boolean
}

export interface RocmAccess {
  nodes: readonly Node[]
  caller: Caller
  /** Whether the engine has no more rights than its user. */
  rootless: boolean
  /** Lines of `/etc/group` (group(5)). */
  groups: string
}

export const rocmAccess: Inspection = {
  id: "rocm-access",
  title: "ROCm's devices",
  limitMs: 55_000,
  async look(site) {
    const { gpus } = await site.detection()
    const cards = gpus.filter(({ vendor, backends }) => vendor === "amd" && backends.includes("rocm"))
    const paths = cards.map(({ renderNode }) => renderNode).filter(path => path !== null)
    if (cards.length === 0) return skipped("no AMD card for which ROCm exists")
    const nodes = await Promise.all([KFD, ...paths].map(path => lookAt(path, site)))
    const info = await site.engineInfo().catch(() => null)
    const groups = (await site.text("etc/group")) ?? ""
    return judgeAccess({ nodes, caller: site.caller, rootless: info?.rootless ?? false, groups })
  },
}

async function lookAt(path: string, site: Site): Promise<Node> {
  const place = site.path(path)
  const found = await stat(place).catch(() => null)
  const usable = await access(place, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  return { path, group: found?.gid ?? null, usable }
}

export function judgeAccess({ nodes, caller, rootless, groups }: RocmAccess): Finding {
  const missing = nodes.filter(({ group }) => group === null).map(({ path }) => path)
  if (missing.length > 0) {
    return failed(`${missing.join(", ")} missing: the compute driver is not there.`, {
      remedy: "See whether the amdgpu driver is loaded, and what the kernel says of it.",
      command: "sudo dmesg | grep -i -e amdgpu -e kfd",
    })
  }
  const fact = nodes.map(({ path, group }) => `${basename(path)} (group ${nameOf(group, groups)})`).join(", ")
  const user = caller.sudoUser ?? caller.name
  const isMember = nodes.every(({ group }) => membersOf(group, groups).includes(user))
  const usable = nodes.every(node => node.usable)
  if (usable && (caller.sudoUser === null || isMember)) return ok(`${fact}: usable by ${caller.name}`)
  if (!usable && isMember) {
    const remedy = `${user} is in the groups, but not yet in this session: log out and in again.`
    return judged(rootless, `${fact}: not usable by ${user} yet.`, { remedy })
  }
  const fix: Fix = { kind: "run", argv: ["usermod", "--append", "--groups", "render,video", user] }
  return judged(rootless && !usable, `${fact}: not usable by ${user}.`, {
    remedy: rootless
      ? "A rootless engine passes on what its user may use: join the groups, then log in again."
      : "Containers get the card all the same, from the engine; AMD's own tools do not. Join the groups, then log in again.",
    command: `sudo usermod -aG render,video ${caller.sudoUser ?? "$USER"}`,
    fixes: caller.sudoUser === null ? [] : [fix],
  })
}

function judged(
  isFailure: boolean,
  fact: string,
  remedy: { remedy: string; command?: string; fixes?: Fix[] },
) {
  return (isFailure ? failed : warning)(fact, remedy)
}

function entryOf(group: number | null, groups: string): string[] {
  const entries = groups.split("\n").map(line => line.split(":"))
  return entries.find(([, , gid]) => gid === String(group)) ?? []
}

function nameOf(group: number | null, groups: string): string {
  const [name] = entryOf(group, groups)
  return name === undefined ? String(group) : `${group}, ${name}`
}

function membersOf(group: number | null, groups: string): string[] {
  return entryOf(group, groups)[3]?.split(",") ?? []
}
