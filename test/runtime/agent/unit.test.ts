import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import { EXIT_CODES } from "../../../src/protocol/fault.ts"

const UNIT = "packaging/systemd/zg-agent.service"
const text = readFileSync(UNIT, "utf8")

const { failed: lacks } = await execa("systemd-analyze", ["--version"], { reject: false })
if (lacks) process.stderr.write("the unit is not verified: systemd-analyze is not on PATH\n")

/** The unit with programs and a user that this machine has: `verify` looks for them. */
function here(): string {
  const folder = mkdtempSync(join(tmpdir(), "zg-unit-"))
  const program = join(folder, "node")
  writeFileSync(program, "#!/bin/sh\n")
  chmodSync(program, 0o755)
  const path = join(folder, "zg-agent.service")
  const local = text
    .replace(/^ExecStart=\S+/m, `ExecStart=${program}`)
    .replace(/^(User|Group|Supplem\w+)=.*$/gm, "")
  writeFileSync(path, local)
  return path
}

test.skipIf(lacks)("systemd finds nothing wrong with the unit", { timeout: 60_000 }, async () => {
  const { stdout, stderr } = await execa("systemd-analyze", ["verify", "--man=no", here()], { reject: false })
  const said = `${stdout}\n${stderr}`.split("\n").filter(line => line.includes("zg-agent.service"))
  expect(said).toEqual([])
})

test.skipIf(lacks)("systemd would find a word that it does not know", { timeout: 60_000 }, async () => {
  const path = here()
  writeFileSync(path, readFileSync(path, "utf8").replace("WatchdogSec=", "WatchdogSecs="))
  const { stdout, stderr } = await execa("systemd-analyze", ["verify", "--man=no", path], { reject: false })
  expect(`${stdout}${stderr}`).toContain("WatchdogSecs")
})

test("the exit codes after which it is not started again are those that a start does not mend", () => {
  const [, codes = ""] = text.match(/^RestartPreventExitStatus=(.*)$/m) ?? []
  const { usage, host, container } = EXIT_CODES
  expect(codes.split(" ").map(Number)).toEqual([usage, host, container])
})
