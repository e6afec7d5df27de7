import { readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"

/** By the distribution's name or what it is like (os-release(5)). */
const MANAGERS = [
  { like: ["debian", "ubuntu"], manager: "apt" },
  { like: ["fedora", "rhel", "centos", "amzn"], manager: "dnf" },
  { like: ["arch"], manager: "pacman" },
  { like: ["suse", "opensuse"], manager: "zypper" },
] as const
export type PackageManager = (typeof MANAGERS)[number]["manager"]

const INSTALL: Record<PackageManager, string> = {
  apt: "sudo apt-get update && sudo apt-get install -y",
  dnf: "sudo dnf install -y",
  pacman: "sudo pacman -S --needed",
  zypper: "sudo zypper install",
}
const UPGRADE: Record<PackageManager, string> = {
  apt: "sudo apt-get update && sudo apt-get install --only-upgrade",
  dnf: "sudo dnf upgrade",
  // Arch supports no upgrade of single packages.
  pacman: "sudo pacman -Syu",
  zypper: "sudo zypper update",
}

/** Whose packages this machine has, from `/etc/os-release`; null where no command can be told. */
export function packageManager(osRelease: string | null): PackageManager | null {
  const names = ["ID", "ID_LIKE"].flatMap(field => {
    const value = new RegExp(`^${field}=(.*)$`, "m").exec(osRelease ?? "")?.[1] ?? ""
    return value.replace(/^["']|["']$/g, "").split(" ")
  })
  return MANAGERS.find(({ like }) => like.some(name => names.includes(name)))?.manager ?? null
}

export function installCommand(manager: PackageManager | null, names: string): string | undefined {
  return manager === null ? undefined : `${INSTALL[manager]} ${names}`
}

export function upgradeCommand(manager: PackageManager | null, names: string): string | undefined {
  return manager === null ? undefined : `${UPGRADE[manager]} ${names}`
}

/**
 * The CVEs that a Debian or Ubuntu package says it has mended, from its changelog; null where there is none of this very version.
 * @param version as the program tells it, such as `1.1.5+ds1-1+deb12u1`.
 */
export async function mendedIn(changelogGz: string, version: string): Promise<string[] | null> {
  try {
    const text = await promisify(gunzip)(await readFile(changelogGz), { maxOutputLength: 16 << 20 })
    return mendedBy(text.toString("utf8"), version)
  } catch {
    return null
  }
}

/** As `mendedIn`, from the changelog's text (deb-changelog(5)): its newest entry is the installed version. */
export function mendedBy(changelog: string, version: string): string[] | null {
  const newest = /^\S+ \((?:\d+:)?([^)]+)\)/.exec(changelog.trimStart())?.[1]
  if (newest === undefined || newest !== version) return null
  return [...new Set(changelog.match(/CVE-\d{4}-\d{4,}/g))]
}
