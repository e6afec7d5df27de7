import { expect, test } from "vitest"
import { type PodmanTraits, podmanDialect } from "../../../src/runtime/container/dialect.ts"

const TRAITS: PodmanTraits = { initPath: null, processes: 1000, rootless: false, runtime: null }
const args = (traits: Partial<PodmanTraits>, ...given: string[]) =>
  podmanDialect({ ...TRAITS, ...traits }).createArgs(given)

test("Podman's own additions to a container are closed", () => {
  expect(args({})).toEqual([
    "--systemd=false",
    "--sdnotify=ignore",
    "--http-proxy=false",
    "--tmpfs=/run:rw,noexec,nosuid,nodev,size=1m,mode=755,notmpcopyup",
    "--tmpfs=/var/tmp:rw,noexec,nosuid,nodev,size=1m,mode=755,notmpcopyup",
    "--ulimit=nproc=1000:1000",
  ])
})

test("the log and /tmp are asked for as Podman takes them", () => {
  const own = args({}).length
  const docker = [
    "--log-driver=local",
    "--log-opt=max-size=512k",
    "--log-opt=max-file=2",
    "--log-opt=compress=false",
  ]
  expect(args({}, ...docker, "--tmpfs=/tmp:rw,noexec", "--read-only").slice(own)).toEqual([
    "--log-driver=k8s-file",
    "--log-opt=max-size=512k",
    "--tmpfs=/tmp:rw,noexec,notmpcopyup",
    "--read-only",
  ])
})

test("the program's own words are left as they are, whatever they look like", () => {
  const own = args({}).length
  const words = [
    "--entrypoint=sh",
    "image@sha256:00",
    "--log-driver=local",
    "--gpus=all",
    "--tmpfs=/x",
    "--runtime=y",
  ]
  expect(args({}, "--log-driver=local", ...words).slice(own)).toEqual(["--log-driver=k8s-file", ...words])
})

test("without root the shard's user is the agent's own", () => {
  expect(args({ rootless: true })).toContain("--userns=keep-id:uid=65532,gid=65532")
  expect(args({}).join(" ")).not.toContain("--userns")
})

test("an init of another engine is named where Podman has none", () => {
  expect(args({ initPath: "/usr/bin/tini-static" })).toContain("--init-path=/usr/bin/tini-static")
})

test("a runtime stands with its flags before every command, and not in the creation", () => {
  const runtime = { name: "runsc", flags: ["platform=ptrace", "network=none"] }
  const dialect = podmanDialect({ ...TRAITS, runtime })
  expect(dialect.globals).toEqual([
    "--runtime=runsc",
    "--runtime-flag=platform=ptrace",
    "--runtime-flag=network=none",
  ])
  expect(dialect.createArgs(["--runtime=runsc"])).toEqual(args({}))
})

test("a card without a CDI name is refused", () => {
  expect(() => args({}, '--gpus="device=GPU-1"')).toThrow(expect.objectContaining({ code: "gpu-unusable" }))
})

const LOOPBACK = ["127.0.0.1:5000", "127.1.2.3", "localhost:80", "[::1]:7464"]
const ELSEWHERE = [
  "market.example:7464",
  "127.0.0.1.example.com",
  "localhost.example",
  "10.0.0.1:5000",
  "1127.0.0.1",
]

test("only a registry on this machine is spoken to without TLS", () => {
  const { registryArgs } = podmanDialect(TRAITS)
  for (const registry of LOOPBACK) expect(registryArgs(registry)).toEqual(["--tls-verify=false"])
  for (const registry of ELSEWHERE) expect(registryArgs(registry)).toEqual([])
})
