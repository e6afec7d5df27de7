import fc from "fast-check"
import { expect, test } from "vitest"
import {
  compareVersions,
  hasFix,
  parseVersion,
  printedVersion,
  type Version,
} from "../../../../src/runtime/host/escapes/version.ts"

const version = (text: string): Version => {
  const parsed = parseVersion(text)
  if (parsed === null) throw new Error(text)
  return parsed
}

const part = fc.nat(30)
const someVersion = fc
  .tuple(part, part, part, fc.option(fc.nat(9), { nil: null }))
  .map(([major, minor, patch, candidate]) => ({
    text: `${major}.${minor}.${patch}${candidate === null ? "" : `-rc.${candidate}`}`,
  }))
  .map(({ text }) => text)

test("any text is a version or none, and never an error", () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const parsed = parseVersion(text)
      if (parsed !== null) expect(parsed.numbers.every(Number.isSafeInteger)).toBe(true)
      const printed = printedVersion(text)
      if (printed !== null) expect(parseVersion(printed)).not.toBeNull()
    }),
  )
})

test("versions have a total order in which a candidate comes before its release", () => {
  fc.assert(
    fc.property(someVersion, someVersion, someVersion, (a, b, c) => {
      const [x, y, z] = [version(a), version(b), version(c)]
      expect(Math.sign(compareVersions(x, y))).toBe(0 - Math.sign(compareVersions(y, x)))
      if (compareVersions(x, y) <= 0 && compareVersions(y, z) <= 0)
        expect(compareVersions(x, z)).toBeLessThanOrEqual(0)
      expect(compareVersions(x, y) === 0).toBe(a === b)
    }),
  )
  expect(compareVersions(version("1.4.0-rc.2"), version("1.4.0-rc.10"))).toBeLessThan(0)
  expect(compareVersions(version("1.4.0-rc.3"), version("1.4.0"))).toBeLessThan(0)
  expect(compareVersions(version("1.9.0"), version("1.10.0"))).toBeLessThan(0)
})

test("what has a fix keeps it in every later version of its line", () => {
  fc.assert(
    fc.property(someVersion, fc.array(someVersion, { minLength: 1, maxLength: 4 }), (text, fixes) => {
      const fixed = fixes.map(version)
      const now = version(text)
      const next = { ...now, candidate: null, numbers: [now.numbers[0], now.numbers[1], now.numbers[2] + 1] }
      if (hasFix(now, fixed)) expect(hasFix(next as unknown as Version, fixed)).toBe(true)
    }),
  )
})

test.each([
  ["1.2.7", false],
  ["1.2.8", true],
  ["1.3.2", false],
  ["1.3.3", true],
  ["1.4.0-rc.2", false],
  ["1.4.0-rc.3", true],
  ["1.4.0", true],
  ["1.5.0", true],
  ["1.1.99", false],
  ["2.0.0", true],
])("runc %s against fixes on three lines", (text, expected) => {
  expect(hasFix(version(text), ["1.2.8", "1.3.3", "1.4.0-rc.3"].map(version))).toBe(expected)
})

test.each([
  ["1.1.5+ds1-1+deb12u1", true],
  ["20.10.24+dfsg1", true],
  ["1.1.12-0ubuntu2~22.04.1", true],
  ["20.10.25+azure-2", true],
  ["1.0.0~rc93+ds1-5+deb11u5", true],
  ["1.17.4-1", false],
  ["1.3.3", false],
  ["1.4.0-rc.3", false],
  ["v27.1", false],
])("%s is a distribution's package: %s", (text, packaged) => {
  expect(version(text).packaged).toBe(packaged)
})

test.each([
  [
    "NVIDIA Container Toolkit CLI version 1.17.4\ncommit: 9b69590c7428470a72f2ae05f826412976af1395\n",
    "1.17.4",
  ],
  ["cli-version: 1.17.8\nlib-version: 1.17.8\nbuild date: 2025-05-30T13:47+00:00\n", "1.17.8"],
  ["NVIDIA Container Runtime Hook version 1.13.5\ncommit: 6b8589d\n", "1.13.5"],
  ["nvidia-ctk: not found", null],
  ["", null],
])("the version in what is printed", (printed, expected) => {
  expect(printedVersion(printed)).toBe(expected)
})
