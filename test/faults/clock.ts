import { existsSync, writeFileSync } from "node:fs"

/** Where Debian's package `faketime` and others put it; the variant for programs with threads. */
const LIBRARIES = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(
  arch => `/usr/lib/${arch}/faketime/libfaketimeMT.so.1`,
)

/** libfaketime, or null where it is not installed. */
export function fakeTimeLibrary(): string | null {
  return LIBRARIES.find(path => existsSync(path)) ?? null
}

/** A wall clock of one process that can be made to jump while it runs; its monotonic clock stays right, as on a real machine. */
export class Clock {
  readonly #file: string

  /** @param file where the process looks for its clock's error, at most a second late. */
  constructor(file: string) {
    this.#file = file
    this.set(0)
  }

  /** Makes the clock wrong by so many seconds; 0 puts it right. */
  set(seconds: number): void {
    writeFileSync(this.#file, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}`)
  }

  env(library: string): Record<string, string> {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    }
  }
}
