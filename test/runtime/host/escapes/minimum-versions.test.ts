import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { mendedBy, packageManager, upgradeCommand } from "../../../../src/runtime/doctor/packages.ts"
import {
  BUILT_IN,
  loadMinimumVersions,
  MinimumVersions,
  riskOf,
  toolkitRisk,
} from "../../../../src/runtime/host/escapes/minimum-versions.ts"

const CVES = (risk: { open: { cve: string }[] }) => risk.open.map(({ cve }) => cve)

test("the built-in table is one that could be loaded", () => {
  expect(MinimumVersions.parse(BUILT_IN)).toEqual(BUILT_IN)
})

test.each([
  ["1.16.1", "escape", ["CVE-2024-0132", "CVE-2025-23359", "CVE-2025-23266", "CVE-2025-23267"]],
  ["1.16.2", "escape", ["CVE-2025-23359", "CVE-2025-23266", "CVE-2025-23267"]],
  ["1.17.7", "escape", ["CVE-2025-23266", "CVE-2025-23267"]],
  ["1.17.7+ds-1", "unsure", ["CVE-2025-23266", "CVE-2025-23267"]],
  ["1.17.8", "none", []],
  ["1.18.0-rc.1", "none", []],
  ["of this year", "unsure", []],
])("NVIDIA's toolkit %s: %s", (version, state, open) => {
  const risk = toolkitRisk(version, BUILT_IN)
  expect(risk.state).toBe(state)
  expect(CVES(risk)).toEqual(open)
  expect(risk.unconfirmed.map(({ cve }) => cve)).toEqual(["CVE-2026-24260"])
})

test("a version is judged whatever it is, and only by its own component's rows", () => {
  fc.assert(
    fc.property(fc.option(fc.string(), { nil: null }), version => {
      const { open, state } = riskOf("runc", version, BUILT_IN)
      expect(open.every(({ component }) => component === "runc")).toBe(true)
      if (state === "escape") expect(open).not.toEqual([])
    }),
  )
})

test("what a distribution has mended is not held against its number", () => {
  const mended = ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565"]
  expect(CVES(riskOf("runc", "1.1.5+ds1-1+deb12u1", BUILT_IN, mended))).toEqual(["CVE-2025-52881"])
  expect(riskOf("runc", "1.1.5+ds1-1+deb12u1", BUILT_IN, [...mended, "CVE-2025-52881"]).state).toBe("none")
})

const CHANGELOG = `runc (1.1.5+ds1-1+deb12u1) bookworm-security; urgency=high

  * Team upload.
  * CVE-2024-21626: several container breakouts due to internally leaked fds

 -- Somebody <somebody@example.org>  Fri, 02 Feb 2024 21:53:05 +0800

runc (1.1.5+ds1-1) unstable; urgency=medium

  * CVE-2023-25809, CVE-2024-21626
`

test("a changelog speaks for its own version alone", () => {
  expect(mendedBy(CHANGELOG, "1.1.5+ds1-1+deb12u1")).toEqual(["CVE-2024-21626", "CVE-2023-25809"])
  expect(mendedBy(CHANGELOG, "1.1.12")).toBeNull()
  expect(mendedBy("", "")).toBeNull()
})

test.each([
  ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"', "apt"],
  ['NAME="HiveOS"\nID=hiveos\nID_LIKE="ubuntu debian"', "apt"],
  ['ID="rocky"\nID_LIKE="rhel centos fedora"', "dnf"],
  ["ID=arch", "pacman"],
  ['ID="opensuse-leap"\nID_LIKE="suse opensuse"', "zypper"],
  ["ID=nixos", null],
  [null, null],
])("the package manager of %j", (osRelease, expected) => {
  expect(packageManager(osRelease)).toBe(expected)
  expect(upgradeCommand(packageManager(osRelease), "runc") ?? null).toEqual(
    expected === null ? null : expect.stringMatching(/^sudo .*runc$/),
  )
})

test("a table in the state folder replaces the built-in one; a bad one is told and changes nothing", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "zg-table-")), "minimum-versions.json")
  expect(await loadMinimumVersions(path)).toEqual({ table: BUILT_IN, from: null, damage: null })
  const row = { ...BUILT_IN.escapes[4], fixed: ["1.19.0"] }
  const table = { updated: "2027-01-31", escapes: [row] }
  writeFileSync(path, JSON.stringify(table))
  const loaded = await loadMinimumVersions(path)
  expect(loaded).toEqual({ table, from: path, damage: null })
  expect(toolkitRisk("1.18.0", loaded.table).state).toBe("escape")
  for (const text of ["{", JSON.stringify({ ...table, escapes: [{ ...row, fixed: ["soon"] }] })]) {
    writeFileSync(path, text)
    expect(await loadMinimumVersions(path)).toMatchObject({
      table: BUILT_IN,
      from: null,
      damage: expect.stringMatching(/./),
    })
  }
})
