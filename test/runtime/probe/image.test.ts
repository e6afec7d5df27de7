import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { imageArchive } from "../../../src/runtime/probe/image.ts"
import { tar } from "../../../src/runtime/probe/tar.ts"

const folder = mkdtempSync(join(tmpdir(), "zg-image-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

function unpack(archive: Buffer): string {
  const target = mkdtempSync(join(folder, "unpacked-"))
  execFileSync("tar", ["--extract", "--preserve-permissions", "-C", target], { input: archive })
  return target
}

test("an archive is what tar takes it for", () => {
  const bytes = Buffer.from("x".repeat(513))
  const target = unpack(
    tar([
      { name: "a/", mode: 0o1777 },
      { name: "a/program", mode: 0o555, bytes },
      { name: "empty", mode: 0o444 },
    ]),
  )
  expect(readFileSync(join(target, "a/program"))).toEqual(bytes)
  expect(statSync(join(target, "a/program"))).toMatchObject({ mode: 0o100555 })
  expect(statSync(join(target, "a"))).toMatchObject({ mode: 0o041777 })
  expect(statSync(join(target, "empty"))).toMatchObject({ size: 0 })
  expect(() => tar([{ name: "x".repeat(101), mode: 0 }])).toThrow(RangeError)
})

test("every blob of the image has the digest by which it is named, in both of its indexes", () => {
  const { bytes, reference, digest } = imageArchive(Buffer.from("program"), "arm64")
  const target = unpack(bytes)
  const read = (path: string) => readFileSync(join(target, path))
  const blob = (name: string) => {
    const content = read(`blobs/sha256/${name.slice("sha256:".length)}`)
    expect(digestOf(content)).toBe(name)
    return content
  }
  const [described] = JSON.parse(String(read("index.json"))).manifests
  const manifest = JSON.parse(String(blob(described.digest)))
  const [legacy] = JSON.parse(String(read("manifest.json")))
  expect(manifest.config.digest).toBe(digest)
  expect(legacy).toEqual({
    Config: `blobs/sha256/${digest.slice(7)}`,
    RepoTags: [reference],
    Layers: [`blobs/sha256/${manifest.layers[0].digest.slice(7)}`],
  })
  const config = JSON.parse(String(blob(digest)))
  expect(config).toMatchObject({ architecture: "arm64", os: "linux" })
  expect(config.config.Volumes).toBeUndefined()
  const layer = blob(config.rootfs.diff_ids[0])
  expect(execFileSync("tar", ["--list"], { input: layer, encoding: "utf8" })).toContain("probe\n")
})

test("the same program makes the same bytes, and another program another image", () => {
  const [one, same, other] = ["a", "a", "b"].map(text => imageArchive(Buffer.from(text), "x64"))
  expect(same?.bytes.equals(one?.bytes as Buffer)).toBe(true)
  expect(other?.reference).not.toBe(one?.reference)
  expect(imageArchive(Buffer.from("a"), "arm64").reference).not.toBe(one?.reference)
})
