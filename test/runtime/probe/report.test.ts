import { expect, test } from "vitest"
import { parseReport } from "../../../src/runtime/probe/probe.ts"
import { REPORT } from "./sample.ts"

test("a report is read as it was printed", () => {
  expect(parseReport(0, `${JSON.stringify(REPORT)}\n`)).toEqual(REPORT)
})

test.each([
  ["nothing", 0, "", /no report/],
  ["no JSON", 0, "exec format error", /no report/],
  ["a field too much", 0, JSON.stringify({ ...REPORT, more: 1 }), /no report/],
  ["a field of another kind", 0, JSON.stringify({ ...REPORT, uid: "root" }), /no report/],
  ["a failed end", 139, JSON.stringify(REPORT), /exit code 139/],
])("%s is a fault that quotes what was printed", (_, exitCode, stdout, message) => {
  const read = () => parseReport(exitCode, stdout)
  expect(read).toThrow(
    expect.objectContaining({
      code: "probe-failed",
      message: expect.stringMatching(message),
      facts: { stdout: stdout.slice(0, 300) },
    }),
  )
})
