import { expect, test } from "vitest"
import { digestOf } from "../../src/protocol/digest.ts"
import { parseMarketFrame } from "../../src/protocol/frame.ts"
import { ShardSpec } from "../../src/protocol/shard-spec.ts"

const plain = {
  image: { name: "team/net", digest: digestOf("image") },
  command: { argv: ["true"] },
  inputs: [],
  outputs: ["result"],
  resources: {},
  limits: {},
}

test("a plain spec parses", () => {
  expect(ShardSpec.safeParse(plain).success).toBe(true)
})

/** Each asks, under some name that an engine, a pod or an OCI runtime has for it, for what no shard may have. */
test.each<[string, Record<string, unknown>]>([
  ["a host path", { mounts: [{ type: "bind", source: "/etc", target: "/etc" }] }],
  ["a volume", { volumes: ["/:/host"] }],
  ["a host path as hostPath", { hostPath: { path: "/" } }],
  ["the engine's socket", { binds: ["/var/run/docker.sock:/var/run/docker.sock"] }],
  ["the host's network", { network: "host" }],
  ["hostNetwork", { hostNetwork: true }],
  ["a port", { ports: [{ containerPort: 80, hostPort: 80 }] }],
  ["the host's process ids", { hostPID: true }],
  ["the host's ipc", { ipc: "host" }],
  ["the host's users", { userns: "host" }],
  ["privileges", { privileged: true }],
  ["capabilities", { capabilities: ["SYS_ADMIN"] }],
  ["a security context", { securityContext: { privileged: true } }],
  ["another user", { user: "0:0" }],
  ["seccomp unconfined", { securityOpt: ["seccomp=unconfined"] }],
  ["a device", { devices: ["/dev/sda"] }],
  ["a runtime", { runtime: "runc" }],
  ["a profile", { profile: "jit" }],
  ["a flag", { flags: ["--privileged"] }],
  ["labels", { labels: { "dev.zg-agent.home": "another" } }],
  ["a prototype", JSON.parse('{"__proto__":{"privileged":true},"constructor":1}')],
  ["more in the resources", { resources: { device: "cpu", gpus: "all" } }],
  ["a device by path", { resources: { device: "/dev/sda" } }],
  ["all GPUs", { resources: { device: "all" } }],
  ["no memory limit", { resources: { memoryMiB: -1 } }],
  ["memory without end", { resources: { memoryMiB: Number.POSITIVE_INFINITY } }],
  ["more in the limits", { limits: { memorySwap: -1 } }],
  ["no limit of processes", { limits: { pids: 0 } }],
  ["a negative limit of processes", { limits: { pids: -1 } }],
  ["a limit as text", { limits: { pids: "4096" } }],
  ["half a process", { limits: { pids: 1.5 } }],
  ["more in the command", { command: { argv: ["true"], workdir: "/", user: "root" } }],
  ["an entrypoint of its own", { command: { argv: [""] } }],
  ["a NUL in an argument", { command: { argv: ["sh", "-c", "true\0--privileged"] } }],
  ["a variable's name with an equals sign", { command: { argv: ["true"], env: { "A=B": "c" } } }],
  ["a variable's name with a line end", { command: { argv: ["true"], env: { "A\nB": "c" } } }],
  ["a NUL in a variable", { command: { argv: ["true"], env: { A: "b\0c" } } }],
  ["an input outside its folder", { inputs: [{ name: "../spec.json", digest: digestOf("x"), size: 1 }] }],
  [
    "an input by a host's path",
    { inputs: [{ name: "passwd", path: "/etc/passwd", digest: digestOf("x"), size: 1 }] },
  ],
  ["an input with an absolute name", { inputs: [{ name: "/etc/passwd", digest: digestOf("x"), size: 1 }] }],
  ["an output outside its folder", { outputs: ["../checkpoint/x"] }],
  ["a hidden output", { outputs: [".bashrc"] }],
  ["an output with a line end", { outputs: ["result\n"] }],
  ["an output that is an option", { outputs: ["--result"] }],
])("a spec that asks for %s does not parse", (_, change) => {
  expect(ShardSpec.safeParse({ ...plain, ...change }).success).toBe(false)
})

test.each([
  ["a tag", "team/net:latest"],
  ["a digest in its name", `team/net@${digestOf("x")}`],
  ["an option", "--privileged"],
  ["an option as its host", "-v.example/net"],
  ["a scheme", "https://ghcr.io/net"],
  ["a login", "user:pass@ghcr.io/net"],
  ["a way up", "team/../../net"],
  ["an empty part", "team//net"],
  ["a slash in front", "/team/net"],
  ["a slash at the end", "team/net/"],
  ["capitals", "Team/net"],
  ["a space", "team/ net"],
  ["a line end", "team/net\n"],
  ["a line end and an option", "team/net\n--privileged"],
  ["a carriage return", "team/net\r"],
  ["a NUL", "team/net\0"],
  ["an escape", "team/net\u001b[2J"],
  ["a Cyrillic letter", "team/n\u0435t"],
  ["a full-width letter", "team/\uff4eet"],
  ["a zero-width space", "team/n\u200bet"],
  ["a right-to-left override", "team/\u202eten"],
  ["a dot that is none", "ghcr\u2024io/net"],
  ["a slash that is none", "team\u2215net"],
  ["a percent sign", "team%2fnet"],
  ["a star", "team/*"],
  ["a query", "team/net?x"],
  ["an IPv6 host", "[::1]:5000/net"],
  ["a port too long", "ghcr.io:123456/net"],
  ["no name", ""],
  ["256 characters", "a".repeat(256)],
])("an image's name with %s does not parse", (_, name) => {
  expect(ShardSpec.safeParse({ ...plain, image: { name, digest: digestOf("image") } }).success).toBe(false)
})

test("an offer with such a spec is refused as a whole, by the name of the field", () => {
  const offer = {
    type: "offer",
    seq: 1,
    offer: "0".repeat(32),
    job: "job-0123456789ab",
    label: "x",
    price: { per: "shard", amount: 1 },
  }
  const frame = (spec: unknown) => JSON.stringify({ ...offer, spec })
  expect(parseMarketFrame(frame(plain)).type).toBe("offer")
  expect(() => parseMarketFrame(frame({ ...plain, privileged: true }))).toThrow(
    expect.objectContaining({ code: "message-malformed", message: expect.stringContaining("privileged") }),
  )
})
