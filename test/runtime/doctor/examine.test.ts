import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { Fault } from "../../../src/protocol/fault.ts"
import { openHome } from "../../../src/runtime/agent/home.ts"
import {
  CHECK_IDS,
  commandIn,
  failed,
  ok,
  skipped,
  together,
  warning,
} from "../../../src/runtime/doctor/check.ts"
import { INSPECTIONS } from "../../../src/runtime/doctor/checks/all.ts"
import { look } from "../../../src/runtime/doctor/examine.ts"
import type { Inspection } from "../../../src/runtime/doctor/inspection.ts"
import { openSite } from "../../../src/runtime/doctor/site.ts"

const never = new AbortController().signal
const place = {
  openHome: () => openHome(join(mkdtempSync(join(tmpdir(), "zg-site-")), "home")),
  sysfs: "/sys",
  agent: "test/0",
}
const user = { name: "host", isRoot: false, sudoUser: null }

function inspect(see: Inspection["look"], limitMs = 30_000, caller = user) {
  const site = openSite({ ...place, caller }, never)
  return (signal: AbortSignal) => look({ id: "engine", title: "Engine", limitMs, look: see }, site, signal)
}

test("every id has its check, once", () => {
  expect(INSPECTIONS.map(({ id }) => id).sort()).toEqual([...CHECK_IDS].sort())
})

test("whatever a check throws is its finding", async () => {
  const bug = await inspect(async () => {
    throw new TypeError("x is not a function")
  })(never)
  expect(bug).toMatchObject({ state: "failed", fact: expect.stringContaining("x is not a function") })
  const fault = await inspect(async () => {
    throw new Fault("engine-silent", "It is silent.", {
      hint: "Restart it (`sudo systemctl restart docker`).",
    })
  })(never)
  expect(fault).toMatchObject({
    state: "failed",
    fact: "It is silent.",
    command: "sudo systemctl restart docker",
  })
})

test("a check that hangs is ended by its own limit", async () => {
  let aborted = false
  const check = await inspect((_, signal) => {
    signal.addEventListener("abort", () => {
      aborted = true
    })
    return new Promise(() => {})
  }, 50)(never)
  expect(check).toMatchObject({ state: "failed", fact: "There was no answer within 0.05 s." })
  expect(aborted).toBe(true)
})

test("an abort ends it at once, with its reason", async () => {
  const stop = new AbortController()
  const looking = inspect(() => new Promise(() => {}))(stop.signal)
  const reason = new DOMException("Ended by SIGINT.", "AbortError")
  stop.abort(reason)
  await expect(looking).rejects.toBe(reason)
})

test("root is told commands without sudo, who came by sudo with it", async () => {
  const see = async () => warning("It stands.", { remedy: "Start it.", command: "sudo a && sudo b" })
  const root = { ...user, isRoot: true }
  expect((await inspect(see)(never)).command).toBe("sudo a && sudo b")
  expect((await inspect(see, 30_000, root)(never)).command).toBe("a && b")
  expect((await inspect(see, 30_000, { ...root, sudoUser: "host" } as never)(never)).command).toBe(
    "sudo a && sudo b",
  )
})

test("several findings keep the worst state and every line", () => {
  const all = together([
    ok("one"),
    warning("two", { remedy: "do `this now`" }),
    failed("three", { remedy: "do that", command: "that" }),
    skipped("four"),
    warning("five", { remedy: "do `this now`" }),
  ])
  expect(all).toMatchObject({ state: "failed", fact: "one\ntwo\nthree\nfour\nfive" })
  expect(all.remedy).toBe("do `this now`\ndo that")
  expect(all.command).toBe("this now\nthat")
  expect(together([ok("one"), skipped("two")]).state).toBe("ok")
})

test.each([
  ["Start it with `sudo systemctl start docker`, then try again.", "sudo systemctl start docker"],
  ["Run `zg-agent register --market ws://…` first.", null],
  ["Look at `daemon.json`, then run `docker info -f x`.", "docker info -f x"],
  ["Check who owns it.", null],
])("the command in %j", (hint, command) => {
  expect(commandIn(hint)).toBe(command)
})

test("a home that cannot be used fails its own check; the others name what they need", async () => {
  const openHome = () => {
    throw new Fault("home-unusable", "The state folder /x cannot be made.", { hint: "Check who owns it." })
  }
  const site = openSite({ ...place, openHome }, never)
  const states = new Map<string, string>()
  for (const inspection of INSPECTIONS) {
    if (!["state-folder", "ports", "disk-speed", "marketplace", "clock"].includes(inspection.id)) continue
    const { id, state, fact } = await look(inspection, site, never)
    states.set(id, `${state}: ${fact}`)
  }
  expect(Object.fromEntries(states)).toEqual({
    "state-folder": "failed: The state folder /x cannot be made.",
    ports: "skipped: needs the state folder",
    "disk-speed": "skipped: needs the state folder",
    marketplace: "skipped: needs a registration",
    clock: "skipped: needs a registration: it is compared with the marketplace's",
  })
})
