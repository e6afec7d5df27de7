import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { Engine } from "../../../src/runtime/container/engine.ts"

const FACTS = {
  ...{ name: "docker" as const, version: "0", runtime: "runc", runtimeFlag: null },
  ...{ filtersCalls: true, isolation: "runc" as const, rootless: false, cgroupVersion: "2" },
  ...{ unheld: [], cdiDevices: [], runtimes: ["runc"], passesGpus: true },
}

/** An engine whose client notes where its configuration lies and what is in it. */
function notingEngine() {
  const folder = mkdtempSync(join(tmpdir(), "zg-pull-"))
  const program = join(folder, "docker")
  writeFileSync(
    program,
    `#!/bin/sh\necho "$DOCKER_CONFIG" > ${folder}/place\ncat "$DOCKER_CONFIG/config.json" > ${folder}/config\n`,
  )
  chmodSync(program, 0o755)
  const read = (name: string) => readFileSync(join(folder, name), "utf8").trim()
  return { engine: new Engine(program, "unix:///nowhere.sock", FACTS), read }
}

const never = new AbortController().signal

test("a pull from elsewhere takes none of the host's own logins along", async () => {
  const { engine, read } = notingEngine()
  await engine.images.pull("ghcr.io/team/net@sha256:00", null, never)
  expect(read("config")).toBe("{}")
  expect(read("place")).not.toBe(process.env.DOCKER_CONFIG ?? "")
  expect(existsSync(read("place"))).toBe(false)
})

test("a pull from the marketplace has its token alone, and only while it lasts", async () => {
  const { engine, read } = notingEngine()
  await engine.images.pull(
    "market:1/net@sha256:00",
    { registry: "market:1", user: "zg", password: "token" },
    never,
  )
  expect(JSON.parse(read("config"))).toEqual({ auths: { "market:1": { auth: btoa("zg:token") } } })
  expect(existsSync(read("place"))).toBe(false)
})
