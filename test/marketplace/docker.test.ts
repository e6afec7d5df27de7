import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import { enrol } from "../contract/client.ts"
import { Embedded } from "../contract/market.ts"
import { skip } from "../contract/skip.ts"

const TIMEOUT_MS = 60_000

test("docker pushes an image and pulls it back by digest", { timeout: TIMEOUT_MS }, async context => {
  const engine = await execa("docker", ["version", "--format", "{{.Server.Version}}"], {
    reject: false,
    timeout: 10_000,
  })
  if (engine.failed && !process.env.CI) skip(context, `no container engine answers: ${engine.stderr}`)
  expect(engine.stderr).toBe("")

  const market = await Embedded.start()
  const folder = await mkdtemp(join(tmpdir(), "zg-docker-"))
  const client = await enrol(market.url)
  const { host } = new URL(client.http)
  const tag = `${host}/contract/tiny:v1`
  await mkdir(join(folder, "config"))
  const auths = { [host]: { auth: btoa(`agent:${client.token}`) } }
  await writeFile(join(folder, "config", "config.json"), JSON.stringify({ auths }))
  const docker = (...args: string[]) => execa("docker", ["--config", join(folder, "config"), ...args])
  let pulled = ""
  try {
    await writeFile(join(folder, "hello.txt"), `hello ${host}`)
    await execa("tar", ["-C", folder, "-cf", join(folder, "root.tar"), "hello.txt"])
    await docker("import", join(folder, "root.tar"), tag)
    const { stdout } = await docker("push", tag)
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(stdout)?.[1]
    expect(digest).toBeDefined()
    await docker("push", tag)
    await docker("image", "rm", tag)
    pulled = `${host}/contract/tiny@${digest}`
    await docker("pull", pulled)
    const { stdout: digests } = await docker("image", "inspect", pulled, "--format", "{{json .RepoDigests}}")
    expect(JSON.parse(digests)).toEqual([pulled])
  } finally {
    await docker("image", "rm", tag).catch(() => {})
    if (pulled) await docker("image", "rm", pulled).catch(() => {})
    await client.close()
    await market.stop()
    await rm(folder, { recursive: true })
  }
})
