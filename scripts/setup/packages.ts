import { execa } from "execa"

const INSTALL_LIMIT_MS = 300_000

export async function hasProgram(name: string): Promise<boolean> {
  const { exitCode } = await execa("sh", ["-c", `command -v ${name}`], { reject: false })
  return exitCode === 0
}

/** Installs Debian packages where this system has apt and this user may; tells whether that worked. */
export async function installPackages(...names: string[]): Promise<boolean> {
  if (process.getuid?.() !== 0 || !(await hasProgram("apt-get"))) return false
  const options = {
    env: { DEBIAN_FRONTEND: "noninteractive" },
    timeout: INSTALL_LIMIT_MS,
    reject: false,
  } as const
  await execa("apt-get", ["update", "-qq"], options)
  const { exitCode } = await execa(
    "apt-get",
    ["install", "-y", "-qq", "--no-install-recommends", ...names],
    options,
  )
  return exitCode === 0
}
