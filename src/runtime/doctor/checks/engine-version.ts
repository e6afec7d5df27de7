import type { EngineFacts } from "../../container/engine.ts"
import { type MinimumVersions, riskOf } from "../../host/escapes/minimum-versions.ts"
import { compareVersions, parseVersion, type Version } from "../../host/escapes/version.ts"
import { type Finding, failed, ok, skipped, together, warning } from "../check.ts"
import type { EngineInfo } from "../engine-info.ts"
import type { Inspection } from "../inspection.ts"
import { mendedIn, type PackageManager, upgradeCommand } from "../packages.ts"
import { titleOf } from "./engine.ts"

/** Brought `--cgroupns` and `create --pull` (docs.docker.com/engine/release-notes/20.10), which the sandbox needs. */
const FLOOR: Version = { numbers: [20, 10, 0], candidate: null, packaged: false }
/** Docker itself mends nothing older any more (endoflife.date/docker-engine). */
const MAINTAINED: Version = { numbers: [25, 0, 0], candidate: null, packaged: false }
/** No older Podman has been tried. */
const PODMAN_FLOOR: Version = { numbers: [4, 3, 0], candidate: null, packaged: false }
const SHOWN = ["containerd", "runc", "crun", "runsc"]

export const engineVersion: Inspection = {
  id: "engine-version",
  title: "Engine's versions",
  async look(site) {
    const engine = await site.engine().catch(() => null)
    if (engine === null) return skipped("needs the container engine")
    const { components } = await site.engineInfo()
    const runc = components.find(({ name }) => name === "runc")?.version ?? null
    const changelog = site.path("usr/share/doc/runc/changelog.Debian.gz")
    return judgeVersions({
      engine: engine.facts,
      components,
      table: (await site.minimumVersions()).table,
      mended: runc === null ? null : await mendedIn(changelog, runc),
      packages: await site.packages(),
    })
  },
}

export interface EngineVersions {
  engine: Pick<EngineFacts, "name" | "version">
  components: EngineInfo["components"]
  table: MinimumVersions
  /** CVEs that the distribution's package of runc says it has mended; null where it says nothing. */
  mended: readonly string[] | null
  packages: PackageManager | null
}

export function judgeVersions(seen: EngineVersions): Finding {
  const parts = seen.components.filter(({ name }) => SHOWN.includes(name))
  const fact = [
    `${titleOf(seen.engine.name)} ${seen.engine.version}`,
    ...parts.map(({ name, version }) => `${name} ${version}`),
  ].join(", ")
  const runc = parts.find(({ name }) => name === "runc")
  const { name: engine, version } = seen.engine
  const old = engine === "docker" ? judgeDocker(version) : judgePodman(version)
  const troubles = [old, runc === undefined ? null : judgeRunc(runc.version, seen)]
  const found = troubles.filter(finding => finding !== null)
  return found.length === 0 ? ok(fact) : together(found)
}

function judgeDocker(text: string): Finding | null {
  const version = parseVersion(text)
  if (version === null) return null
  const update = { remedy: "Update Docker (https://docs.docker.com/engine/install/)." }
  if (compareVersions(version, FLOOR) < 0) {
    return failed(`Docker ${text} is older than 20.10 and does not know the sandbox's flags.`, update)
  }
  if (compareVersions(version, MAINTAINED) >= 0 || version.packaged) return null
  return warning(`Docker ${text} gets no security fixes any more; the oldest line that does is 25.`, update)
}

function judgePodman(text: string): Finding | null {
  const version = parseVersion(text)
  if (version === null || compareVersions(version, PODMAN_FLOOR) >= 0) return null
  return warning(`Podman ${text} is older than 4.3, the oldest that was tried.`, {
    remedy: "Update Podman (https://podman.io/docs/installation).",
  })
}

function judgeRunc(version: string, { table, mended, packages }: EngineVersions): Finding | null {
  const { state, open } = riskOf("runc", version, table, mended ?? [])
  if (state === "none") return null
  if (open.length === 0) {
    return warning(`runc does not tell a version: ${version}`, { remedy: "See `runc --version`." })
  }
  const cves = open.map(({ cve }) => cve).join(", ")
  if (state === "escape") {
    return failed(`runc ${version} lets a container out: ${cves}.`, {
      remedy: "Update the engine's packages; with Docker's own, runc comes with containerd.io.",
      command: upgradeCommand(packages, "containerd.io"),
    })
  }
  const fact =
    mended === null
      ? `runc ${version} has a number below the fixes of ${cves}.`
      : `runc ${version}: its package does not say that it has mended ${cves}.`
  return warning(fact, {
    remedy:
      "A distribution mends old numbers: keep its package up to date, or take Docker's own packages, which have runc's current one.",
    command: upgradeCommand(packages, "runc"),
  })
}
