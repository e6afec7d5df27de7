import { expect, test } from "vitest"
import { ATTEMPTS, type Attempt } from "../../../src/runtime/probe/attempts.ts"
import { judgeJail, type Trial } from "../../../src/runtime/probe/judge-jail.ts"
import { expectedFor, REPORT } from "./sample.ts"

const NAMES = Object.keys(ATTEMPTS)
const TARGETS = ["machine=tcp,192.0.2.1,1,m", "market=tcp,192.0.2.2,1,m", "memory-key=1"]

function trial(over: Partial<Trial> = {}, changed: Record<string, "open" | "unknown"> = {}): Trial {
  const attempts = NAMES.map(name => ({ name, outcome: changed[name] ?? ("blocked" as const), how: "EPERM" }))
  return {
    said: { report: REPORT, attempts },
    expected: expectedFor(),
    setting: { isolation: "runc", profile: "strict", disks: "mounted" },
    targets: TARGETS,
    arrivals: 0,
    ...over,
  }
}

const outcomeOf = (name: string, given: Trial) => {
  const { passed, attempts } = judgeJail(given)
  return [passed, attempts.find(attempt => attempt.name === name)?.outcome]
}

test("a sandbox in which everything is blocked has passed", () => {
  const verdict = judgeJail(trial())
  expect(verdict).toMatchObject({ passed: true, violations: [], unseen: [] })
  expect(verdict.attempts).toHaveLength(NAMES.length + 2)
})

test.each(NAMES)("%s that is open is a hole, or tolerated with a reason that is told", name => {
  const { tolerated }: Attempt = ATTEMPTS[name as keyof typeof ATTEMPTS]
  const given = trial({}, { [name]: "open" })
  const reason = tolerated?.(given.setting, "EPERM") ?? null
  expect(outcomeOf(name, given)).toEqual(reason === null ? [false, "open"] : [true, "tolerated"])
  const how = judgeJail(given).attempts.find(attempt => attempt.name === name)?.how
  if (reason !== null) expect(how).toBe(`EPERM. ${reason}`)
})

test.each(NAMES)("%s that could not be made proves nothing, and does not pass", name => {
  expect(outcomeOf(name, trial({}, { [name]: "unknown" }))).toEqual([false, "unknown"])
})

test("an attempt of which the probe says nothing, or says two things, does not pass", () => {
  const whole = trial()
  const [first, ...rest] = whole.said.attempts
  const silent = { ...whole, said: { ...whole.said, attempts: rest } }
  expect(outcomeOf("host-file", silent)).toEqual([false, "unknown"])
  const twice = [first, first, ...rest].filter(one => one !== undefined)
  expect(outcomeOf("host-file", { ...whole, said: { ...whole.said, attempts: twice } })).toEqual([
    false,
    "unknown",
  ])
  const strange = [...whole.said.attempts, { name: "new-trick", outcome: "blocked" as const, how: "" }]
  expect(outcomeOf("new-trick", { ...whole, said: { ...whole.said, attempts: strange } })).toEqual([
    false,
    "unknown",
  ])
})

test("what had no target is left out, and is no pass by that", () => {
  const { passed, attempts } = judgeJail(trial({ targets: ["machine=x"] }, { marketplace: "unknown" }))
  expect(passed).toBe(true)
  const names = attempts.map(({ name }) => name)
  expect(names).toContain("machine-address")
  expect(names).not.toContain("marketplace")
})

test("the machine's own count of arrivals stands against the probe's word", () => {
  expect(outcomeOf("arrivals", trial({ arrivals: 1 }))).toEqual([false, "open"])
})

test("a card that was not given is a hole, whether it opens or not", () => {
  const devices = [{ path: "/dev/nvidia0", opens: false, error: "EPERM" }]
  const said = { ...trial().said, report: { ...REPORT, devices } }
  expect(outcomeOf("other-gpus", trial({ said }))).toEqual([false, "open"])
})

test("a wall that is not in force does not pass, whatever the attempts say", () => {
  const said = { ...trial().said, report: { ...REPORT, rootReadOnly: false } }
  expect(judgeJail(trial({ said }))).toMatchObject({ passed: false, violations: [{ flag: "--read-only" }] })
})

test("running from /tmp is tolerated with the profile jit alone, and from /shard/out without root alone", () => {
  const setting = trial().setting
  const open = (name: string, over: Partial<Trial["setting"]>) =>
    outcomeOf(name, trial({ setting: { ...setting, ...over } }, { [name]: "open" }))
  expect([open("exec-tmp", {}), open("exec-tmp", { profile: "jit" })]).toEqual([
    [false, "open"],
    [true, "tolerated"],
  ])
  expect([open("exec-out", {}), open("exec-out", { disks: "watched" })]).toEqual([
    [false, "open"],
    [true, "tolerated"],
  ])
})

test("gVisor's own kernel may answer what the machine's must not", () => {
  const gvisor = { ...trial().setting, isolation: "gvisor" as const }
  expect(outcomeOf("user-namespace", trial({ setting: gvisor }, { "user-namespace": "open" }))).toEqual([
    true,
    "tolerated",
  ])
  expect(outcomeOf("mount", trial({ setting: gvisor }, { mount: "open" }))).toEqual([false, "open"])
  expect(outcomeOf("raw-devices", trial({ setting: gvisor }, { "raw-devices": "open" }))).toEqual([
    false,
    "open",
  ])
})
