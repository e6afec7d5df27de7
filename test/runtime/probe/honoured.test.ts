import { expect, test } from "vitest"
import type { GpuPlacement } from "../../../src/runtime/container/sandbox.ts"
import { dishonoured, unseen } from "../../../src/runtime/probe/honoured.ts"
import type { ProbeReport } from "../../../src/runtime/probe/report.ts"
import { expectedFor, REPORT } from "./sample.ts"

test("a report in which everything is in force has no violation and leaves nothing open", () => {
  expect(dishonoured(REPORT, expectedFor())).toEqual([])
  expect(unseen(REPORT, expectedFor())).toEqual([])
})

test("a violation says what was wanted and what is there", () => {
  expect(dishonoured({ ...REPORT, memoryLimitBytes: "max" }, expectedFor())).toEqual([
    { flag: "--memory", wanted: "1073741824", seen: "max" },
  ])
  expect(dishonoured({ ...REPORT, interfaces: ["lo", "eth0"] }, expectedFor())).toEqual([
    { flag: "--network=none", wanted: "lo", seen: "eth0 lo" },
  ])
  expect(dishonoured({ ...REPORT, env: { ...REPORT.env, LD_PRELOAD: "/x.so" } }, expectedFor())).toEqual([
    { flag: "--env=LD_PRELOAD", wanted: '""', seen: '"/x.so"' },
  ])
})

test("an empty variable that is not set at all is told apart", () => {
  const { LD_PRELOAD: _, ...env } = REPORT.env
  expect(dishonoured({ ...REPORT, env }, expectedFor())).toMatchObject([{ seen: "not set" }])
})

test.each<[flag: string, blind: Partial<ProbeReport>]>([
  ["--cap-drop=ALL", { capBnd: null }],
  ["--security-opt=seccomp", { seccompMode: null }],
  ["--tmpfs=/tmp:noexec", { tmpNoexec: null }],
  ["--network=none", { interfaces: null }],
  ["--memory", { memoryLimitBytes: null }],
  ["--memory-swap", { swapLimitBytes: null }],
  ["--cpus", { cpuQuota: null }],
  ["--init", { pid1: null }],
])("%s that cannot be seen is neither in force nor a violation", (flag, blind) => {
  const report = { ...REPORT, ...blind }
  expect(dishonoured(report, expectedFor())).toEqual([])
  expect(unseen(report, expectedFor())).toEqual([flag])
})

test("what gVisor shows of cgroups, seccomp and devices of its own accord says nothing", () => {
  const report: ProbeReport = {
    ...REPORT,
    seccompMode: 0,
    memoryLimitBytes: "max",
    cpuQuota: "max",
    otherDevices: ["fuse", "net"],
  }
  const flags = ["--security-opt=seccomp", "--memory", "--memory-swap", "--pids-limit", "--cpus"]
  expect(dishonoured(report, expectedFor({ device: "cpu" }, "gvisor"))).toEqual([])
  expect(unseen(report, expectedFor({ device: "cpu" }, "gvisor"))).toEqual(flags)
  const elsewhere = dishonoured(report, expectedFor()).map(({ flag }) => flag)
  expect(elsewhere).toEqual(["--security-opt=seccomp", "--memory", "--cpus", "--device"])
})

test("the render node's group is wanted where an AMD card is given, and nowhere else", () => {
  const rocm: GpuPlacement = { device: "rocm", renderNode: "/dev/dri/renderD128", group: 44 }
  const withGroup = { ...REPORT, groups: [44, 65532] }
  expect(dishonoured(withGroup, expectedFor(rocm))).toEqual([])
  expect(dishonoured(REPORT, expectedFor(rocm))).toMatchObject([{ flag: "--group-add", seen: "none" }])
  expect(dishonoured(withGroup, expectedFor())).toMatchObject([{ flag: "--group-add", seen: "44" }])
})
