import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, test } from "vitest"
import type { Agent } from "../../../src/runtime/agent/agent.ts"
import { Notifier, takeSupervision } from "../../../src/runtime/agent/notification.ts"
import { supervise } from "../../../src/runtime/agent/supervise.ts"
import { RUNNING } from "../shard/sample.ts"
import { lacking, openDatagrams } from "./datagrams.ts"

const why = await lacking()
if (why !== null) process.stderr.write(`tests of a supervisor's socket are skipped: ${why}\n`)

const log = pino({ level: "silent" })
const path = () => join(mkdtempSync(join(tmpdir(), "zg-notify-")), "socket")

type Supervised = Pick<Agent, "status" | "stuck" | "dialledAt">
type Status = ReturnType<Agent["status"]>
type Stuck = ReturnType<Agent["stuck"]>
const status = (connected: boolean) =>
  ({ mode: { mode: "serving" }, connected, slots: [], proved: [] }) as unknown as Status

test("it takes the supervisor's variables, and leaves none for the engine's clients", () => {
  const env = { NOTIFY_SOCKET: "/run/x", WATCHDOG_USEC: "60000000", WATCHDOG_PID: "7", PATH: "/bin" }
  expect(takeSupervision(env, 7)).toEqual({ socket: "/run/x", watchdogMs: 60_000 })
  expect(env).toEqual({ PATH: "/bin" })
})

test.each([
  [{}, null],
  [{ WATCHDOG_USEC: "1000000" }, null],
  [{ NOTIFY_SOCKET: "" }, null],
  [{ NOTIFY_SOCKET: "vsock:2:1" }, null],
  [{ NOTIFY_SOCKET: "@x" }, { socket: "@x", watchdogMs: null }],
  [
    { NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "1000000", WATCHDOG_PID: "8" },
    { socket: "/x", watchdogMs: null },
  ],
  [
    { NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "soon" },
    { socket: "/x", watchdogMs: null },
  ],
  [
    { NOTIFY_SOCKET: "/x", WATCHDOG_USEC: "0" },
    { socket: "/x", watchdogMs: null },
  ],
])("%o means %o", (env, taken) => {
  expect(takeSupervision({ ...env }, 7)).toEqual(taken)
})

test.skipIf(why !== null).each([path(), `@zg-test-${process.pid}`])(
  "to %s: ready, signs of life, a status when it changes, and at the end how long stopping may take",
  async socket => {
    const datagrams = await openDatagrams(socket)
    const stop = new AbortController()
    let connected = true
    const agent: Supervised = { status: () => status(connected), stuck: () => [], dialledAt: Infinity }
    const supervised = supervise({ socket, watchdogMs: 40 }, agent, log, stop.signal)
    expect(await datagrams.next()).toEqual({ READY: "1", STATUS: "Serving, 0 of 0 slots busy" })
    expect(await datagrams.next()).toEqual({ WATCHDOG: "1" })
    connected = false
    let said = await datagrams.next()
    while (said.STATUS === undefined) said = await datagrams.next()
    expect(said).toEqual({ STATUS: expect.stringContaining("not connected"), WATCHDOG: "1" })
    stop.abort()
    await supervised
    while (said.STOPPING === undefined) said = await datagrams.next()
    expect(said).toEqual({ STOPPING: "1", EXTEND_TIMEOUT_USEC: "100000000", STATUS: expect.any(String) })
    await datagrams.close()
  },
)

test.skipIf(why !== null).each([
  ["a walk is stuck", { stuck: () => [{ state: RUNNING }] as unknown as Stuck, dialledAt: Infinity }],
  ["nobody dials the marketplace", { stuck: () => [], dialledAt: performance.now() - 6 * 60_000 }],
])("while %s there is no sign of life, but still a status", async (_, trouble) => {
  const socket = path()
  const datagrams = await openDatagrams(socket)
  const stop = new AbortController()
  let isConnected = true
  // Another line at each look, so that each look says something.
  const agent: Supervised = {
    status: () => {
      isConnected = !isConnected
      return status(isConnected)
    },
    ...trouble,
  }
  const supervised = supervise({ socket, watchdogMs: 40 }, agent, log, stop.signal)
  await datagrams.next()
  for (let look = 0; look < 5; look++) expect(Object.keys(await datagrams.next())).toEqual(["STATUS"])
  stop.abort()
  await supervised
  await datagrams.close()
})

test.skipIf(why !== null)(
  "a supervisor that does not listen holds nothing up, and a line stays one line",
  async () => {
    await new Notifier({ socket: "/nowhere/socket", watchdogMs: null }, log).say({ READY: "1" })
    const socket = path()
    const datagrams = await openDatagrams(socket)
    await new Notifier({ socket, watchdogMs: null }, log).say({ STATUS: "one\nMAINPID=1" })
    expect(await datagrams.next()).toEqual({ STATUS: "one MAINPID=1" })
    await datagrams.close()
  },
)

test("without systemd-notify it warns once and goes on", async () => {
  const warnings: string[] = []
  const noting = pino(
    { level: "warn", messageKey: "event" },
    { write: (line: string) => void warnings.push(line) },
  )
  const before = process.env.PATH
  process.env.PATH = tmpdir()
  try {
    const notifier = new Notifier({ socket: "/nowhere/socket", watchdogMs: null }, noting)
    await notifier.say({ READY: "1" })
    await notifier.say({ WATCHDOG: "1" })
  } finally {
    process.env.PATH = before
  }
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain("systemd-notify")
})
