/** A program's version as far as it can be compared. */
export interface Version {
  numbers: readonly [number, number, number]
  /** Number of the release candidate; null for a release. */
  candidate: number | null
  /** Whether a distribution built it: its fixes may be older code's with the same number (`1.1.5+ds1-1+deb12u1`). */
  packaged: boolean
}

/** A number longer than this is no version's. */
const DIGITS = 9
const FORM = new RegExp(String.raw`^v?(\d{1,${DIGITS}})\.(\d{1,${DIGITS}})(?:\.(\d{1,${DIGITS}}))?(.*)$`, "s")

/** Null for text that does not begin as a version does. Never throws. */
export function parseVersion(text: string): Version | null {
  const [, major, minor, patch = "0", rest = ""] = FORM.exec(text.trim()) ?? []
  if (major === undefined || minor === undefined) return null
  const candidate = /^[-~](?:rc|alpha|beta)[.-]?(\d{1,9})?/.exec(rest)
  const suffix = rest.slice(candidate?.[0].length ?? 0)
  return {
    numbers: [Number(major), Number(minor), Number(patch)],
    candidate: candidate === null ? null : Number(candidate[1] ?? 0),
    // A mere revision of the maker's own package (`1.17.4-1`) says nothing of backports.
    packaged: suffix !== "" && !/^-\d+$/.test(suffix),
  }
}

/** Negative where `a` is older; a release candidate is older than its release (semver.org, 11). */
export function compareVersions(a: Version, b: Version): number {
  for (const at of [0, 1, 2] as const) {
    if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] - b.numbers[at]
  }
  if (a.candidate === b.candidate) return 0
  if (a.candidate === null) return 1
  return b.candidate === null ? -1 : a.candidate - b.candidate
}

/**
 * Whether a version has a fix that was released on several lines: on a line of its own (the same first two numbers) it must be at that
 * line's fix, elsewhere it must be newer than every fix.
 */
export function hasFix(version: Version, fixed: readonly Version[]): boolean {
  const own = fixed.filter(fix => isSameLine(fix, version))
  if (own.length > 0) return own.some(fix => compareVersions(version, fix) >= 0)
  return fixed.length > 0 && fixed.every(fix => compareVersions(version, fix) >= 0)
}

function isSameLine(a: Version, b: Version): boolean {
  return a.numbers[0] === b.numbers[0] && a.numbers[1] === b.numbers[1]
}

/** The version in what a program prints for `--version`, such as `cli-version: 1.17.4`; null where none is named. */
export function printedVersion(printed: string): string | null {
  return /\bversion:?[ \t]+v?(\d+\.\d+(?:\.\d+)?[^\s,;]*)/i.exec(printed)?.[1] ?? null
}
