// Compiles the probe, which `zg-agent doctor` and the jail test run in a container: a static program, so that its image holds nothing else.
import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { execa } from "execa"
import { Fault } from "../../src/protocol/fault.ts"
import { probeProgram } from "../../src/runtime/probe/image.ts"
import { hasProgram, installPackages } from "./packages.ts"
import { tellFaults } from "./tell.ts"

const FOLDER = "images/probe"
const FLAGS = ["-std=c17", "-static", "-Os", "-s", "-Wall", "-Wextra", "-Werror"]
const COMPILE_LIMIT_MS = 120_000

/**
 * Compiles the probe for this machine unless that was done from the same source. Without a compiler the agent works but for its doctor,
 * which cannot look into a container then: one line says so.
 * @throws Fault `probe-missing` in CI, where it may not be left out.
 */
export async function prepareProbe(target: string = probeProgram()): Promise<void> {
  const source = await sourceDigest()
  const stamp = `${target}.source`
  if ((await readFile(stamp, "utf8").catch(() => null)) === source) return
  const trouble = await compile(target)
  if (trouble === null) return writeFile(stamp, source)
  const fault = leftOut(trouble)
  if (process.env.CI) throw fault
  console.error(`${fault.message} ${fault.hint}`)
}

/** Of the flags and of all files that are compiled, headers among them. */
async function sourceDigest(): Promise<string> {
  const hash = createHash("sha256").update(FLAGS.join(" "))
  for (const name of (await readdir(FOLDER)).sort())
    hash.update(name).update(await readFile(join(FOLDER, name)))
  return hash.digest("hex")
}

async function units(): Promise<string[]> {
  const names = (await readdir(FOLDER)).sort()
  return names.filter(name => name.endsWith(".c")).map(name => join(FOLDER, name))
}

/** Null when it went well, else why not. */
async function compile(target: string): Promise<string | null> {
  if (process.platform !== "linux") return `containers run Linux, and this is ${process.platform}`
  const compiler = await findCompiler()
  if (compiler === null) return "there is no C compiler"
  // Of this process: tests and a build may compile at the same time.
  const draft = `${target}.${process.pid}.draft`
  await mkdir(dirname(target), { recursive: true })
  await rm(`${target}.source`, { force: true })
  const options = { reject: false, all: true, timeout: COMPILE_LIMIT_MS } as const
  const { exitCode, all } = await execa(compiler, [...FLAGS, "-o", draft, ...(await units())], options)
  if (exitCode !== 0) return firstComplaint(all) ?? `${compiler} did not end in time`
  await rename(draft, target)
  return null
}

async function findCompiler(): Promise<"cc" | "gcc" | null> {
  for (const name of ["cc", "gcc"] as const) if (await hasProgram(name)) return name
  console.log("There is no C compiler for the probe: trying to install one from the system's packages …")
  await installPackages("gcc", "libc6-dev")
  return (await hasProgram("gcc")) ? "gcc" : null
}

function firstComplaint(output: string): string | undefined {
  return output.split("\n").find(line => /error|cannot find/.test(line)) ?? output.split("\n")[0]
}

function leftOut(why: string): Fault {
  return new Fault(
    "probe-missing",
    `The probe is left out (${why}): nothing can look into containers or try the sandbox out.`,
    {
      hint: "Install gcc and the static C library (Debian: `apt install gcc libc6-dev`), then run `npm run build`.",
      facts: { why },
    },
  )
}

if (import.meta.main) await tellFaults(() => prepareProbe())
