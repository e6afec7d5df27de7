import { execa } from "execa"
import { hasProgram } from "../../scripts/setup/packages.ts"
import { fakeTimeLibrary } from "./clock.ts"
import type { Fault } from "./fault.ts"

const PROGRAMS = ["dockerd", "containerd", "docker", "mkfs.ext4", "findmnt"]

/** Why no fault at all can be tried here; null where they can. */
export async function missingHere(): Promise<string | null> {
  if (process.platform !== "linux") return "the faults are made with what Linux has"
  if (process.getuid?.() !== 0) return "small disks and a container engine of one's own need root"
  for (const program of PROGRAMS) if (!(await hasProgram(program))) return `${program} is not installed`
  return null
}

/** Faults that cannot be had on this machine, with the reason. */
export function impossibleHere(faults: readonly Fault[]): Map<string, string> {
  const reason = "libfaketime is not installed (Debian's package `faketime`)"
  const clocks = fakeTimeLibrary() === null ? faults.filter(({ clocks }) => clocks) : []
  return new Map(clocks.map(({ name }) => [name, reason]))
}

export async function dockerVersion(): Promise<string> {
  const { stdout } = await execa("dockerd", ["--version"])
  return /version ([^\s,]+)/.exec(stdout)?.[1] ?? stdout
}
