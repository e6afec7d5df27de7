import { findToolkit, type Toolkit } from "../../host/escapes/find-toolkit.ts"
import { type MinimumVersions, type Risk, toolkitRisk } from "../../host/escapes/minimum-versions.ts"
import { type Finding, failed, ok, skipped, warning } from "../check.ts"
import type { Inspection } from "../inspection.ts"
import { installCommand, type PackageManager, upgradeCommand } from "../packages.ts"

const PACKAGE = "nvidia-container-toolkit"

export const nvidiaToolkit: Inspection = {
  id: "nvidia-toolkit",
  title: "NVIDIA toolkit",
  limitMs: 55_000,
  async look(site, signal) {
    const { gpus } = await site.detection()
    if (!gpus.some(({ vendor }) => vendor === "nvidia")) return skipped("no NVIDIA card is seen")
    const toolkit = await findToolkit(signal)
    const info = await site.engineInfo().catch(() => null)
    if (toolkit === null && info?.desktop)
      return skipped("Docker Desktop has its own, inside its virtual machine")
    return judgeToolkit(toolkit, (await site.minimumVersions()).table, await site.packages())
  },
}

export function judgeToolkit(
  toolkit: Toolkit | null,
  table: MinimumVersions,
  packages: PackageManager | null,
): Finding {
  if (toolkit === null) {
    const install = installCommand(packages, PACKAGE)
    const configure = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
    return failed("NVIDIA's Container Toolkit is not installed: no container can have a card.", {
      remedy:
        "Add NVIDIA's package source (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html), then install it and make it known to the engine.",
      command: install === undefined ? configure : `${install} && ${configure}`,
    })
  }
  const { program, version } = toolkit
  const risk = toolkitRisk(version, table)
  if (version === null) {
    return warning(`${program} is there, but does not tell its version.`, {
      remedy: "See what it says; an old toolkit lets a container out.",
      command: `${program} --version`,
    })
  }
  return judgeRisk(version, risk, upgradeCommand(packages, PACKAGE))
}

function judgeRisk(
  version: string,
  { state, open, unconfirmed }: Risk,
  command: string | undefined,
): Finding {
  const asked = unconfirmed.map(({ cve }) => cve).join(", ")
  const doubt = asked === "" ? "" : ` (whether ${asked} is mended is not known)`
  if (state === "none") return ok(`${version}, without a known escape${doubt}`)
  const named = open.map(({ cve, fixed, affects }) => `${cve}, fixed in ${fixed.join(" and ")} (${affects})`)
  const update = { remedy: "Update it, then make CDI's specification anew.", command }
  if (state === "unsure") {
    return warning(
      [`${version} has a number below these fixes; its distribution may have put them in:`, ...named].join(
        "\n",
      ),
      update,
    )
  }
  return failed([`${version} lets a container out:`, ...named].join("\n"), update)
}
