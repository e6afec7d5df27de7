import fc from "fast-check"
import { expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { ShardSpec } from "../../../src/protocol/shard-spec.ts"
import { PROFILES, type ProfileName, wallsOf } from "../../../src/runtime/container/policy.ts"
import { imageReference } from "../../../src/runtime/container/reference.ts"
import { flagsDigest, type Placement, sandboxArgs } from "../../../src/runtime/container/sandbox.ts"
import { SECCOMP_PATH } from "../../../src/runtime/container/seccomp.ts"

const DIGEST = digestOf("")
const IMAGE = `market.example:7464/trainer@${DIGEST}`
const UUID = "GPU-8f6d3c2a-1b4e-4f5a-9c7d-0123456789ab"

const SPEC = ShardSpec.parse({
  image: { name: "trainer", digest: DIGEST },
  command: { argv: ["python3", "-m", "trainer"], env: { SEED: "7" } },
  inputs: [{ name: "text", digest: DIGEST, size: 0 }],
  outputs: ["model"],
  resources: { cpus: 1.5, memoryMiB: 512 },
  limits: {
    pids: 64,
    openFiles: 256,
    tmpMiB: 16,
    shmMiB: 32,
    outMiB: 8,
    checkpointMiB: 4,
    logMiB: 2,
    timeMs: 60_000,
  },
})

function placement(change: Partial<Placement> = {}): Placement {
  return {
    spec: SPEC,
    image: IMAGE,
    labels: { lease: "a".repeat(32), epoch: 3, spec: DIGEST, home: "home" },
    folders: {
      spec: "/zg/spec.json",
      inputs: [{ name: "text", path: "/zg/blob" }],
      out: "/zg/out",
      checkpoint: "/zg/checkpoint",
    },
    gpu: { device: "cpu" },
    graceMs: 10_500,
    ...change,
  }
}

test("the whole sandbox, flag by flag", () => {
  expect(sandboxArgs(placement())).toEqual([
    "--pull=never",
    "--user=65532:65532",
    "--network=none",
    "--dns=192.0.2.77",
    "--dns-search=.",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges:true",
    `--security-opt=seccomp=${SECCOMP_PATH}`,
    "--ipc=private",
    "--cgroupns=private",
    "--init",
    "--restart=no",
    "--no-healthcheck",
    "--stop-signal=SIGTERM",
    "--hostname=shard",
    "--workdir=/shard",
    "--oom-score-adj=500",
    "--pids-limit=64",
    "--memory=512m",
    "--memory-swap=512m",
    "--cpus=1.5",
    "--ulimit=nofile=256:256",
    "--ulimit=core=0:0",
    "--ulimit=msgqueue=0:0",
    `--ulimit=fsize=${32 * 2 ** 20}:${32 * 2 ** 20}`,
    "--shm-size=32m",
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=16m,mode=1777",
    "--log-driver=local",
    "--log-opt=max-size=1024k",
    "--log-opt=max-file=2",
    "--log-opt=compress=false",
    "--stop-timeout=11",
    `--name=zg-${"a".repeat(32)}-3`,
    `--label=dev.zg-agent.lease=${"a".repeat(32)}`,
    "--label=dev.zg-agent.epoch=3",
    `--label=dev.zg-agent.spec=${DIGEST}`,
    "--label=dev.zg-agent.home=home",
    "--mount=type=bind,source=/zg/spec.json,target=/shard/spec.json,bind-propagation=rprivate,readonly",
    "--mount=type=bind,source=/zg/blob,target=/shard/in/text,bind-propagation=rprivate,readonly",
    "--mount=type=bind,source=/zg/out,target=/shard/out,bind-propagation=rprivate",
    "--mount=type=bind,source=/zg/checkpoint,target=/shard/checkpoint,bind-propagation=rprivate",
    "--env=HOME=/tmp",
    "--env=SEED=7",
    "--env=LD_PRELOAD=",
    "--env=NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    "--env=NVIDIA_GDRCOPY=disabled",
    "--env=NVIDIA_GDS=disabled",
    "--env=NVIDIA_IMEX_CHANNELS=",
    "--env=NVIDIA_MIG_CONFIG_DEVICES=",
    "--env=NVIDIA_MIG_MONITOR_DEVICES=",
    "--env=NVIDIA_MOFED=disabled",
    "--env=NVIDIA_NVSWITCH=disabled",
    "--env=NVIDIA_VISIBLE_DEVICES=void",
    "--entrypoint=python3",
    IMAGE,
    "-m",
    "trainer",
  ])
})

test("an NVIDIA card comes by UUID, through CDI or through --gpus", () => {
  const cdi = sandboxArgs(placement({ gpu: { device: "cuda", uuid: UUID, through: "cdi" } }))
  expect(cdi).toContain(`--device=nvidia.com/gpu=${UUID}`)
  expect(cdi).toContain("--env=NVIDIA_VISIBLE_DEVICES=void")
  const gpus = sandboxArgs(placement({ gpu: { device: "cuda", uuid: UUID, through: "gpus" } }))
  expect(gpus).toContain(`--gpus="device=${UUID}"`)
  expect(gpus).toContain(`--env=NVIDIA_VISIBLE_DEVICES=${UUID}`)
})

test("an AMD card comes as its one render node with that node's group", () => {
  const args = sandboxArgs(
    placement({ gpu: { device: "rocm", renderNode: "/dev/dri/renderD129", group: 105 } }),
  )
  expect(args.filter(arg => /^--(device|group-add)/.test(arg))).toEqual([
    "--device=/dev/kfd",
    "--device=/dev/dri/renderD129",
    "--group-add=105",
  ])
})

test("a profile that lets a shard run what it writes to /tmp changes that, the digest, and nothing else", () => {
  const [strict, jit] = [sandboxArgs(placement()), sandboxArgs(placement({ profile: "jit" }))]
  const changed = jit.filter(arg => !strict.includes(arg))
  expect(changed).toEqual(["--tmpfs=/tmp:rw,exec,nosuid,nodev,size=16m,mode=1777"])
  expect(jit).toHaveLength(strict.length)
  expect(flagsDigest(placement({ profile: "jit" }))).not.toBe(flagsDigest(placement()))
})

test("every wall says what it stops, and every profile but the strict one what it costs", () => {
  for (const name of Object.keys(PROFILES) as ProfileName[]) {
    const walls = wallsOf(name, SPEC.limits, SPEC.resources, 1000)
    expect(new Set(walls.map(({ flag }) => flag)).size).toBe(walls.length)
    for (const { stops } of walls) expect(stops.length).toBeGreaterThan(5)
    expect(PROFILES[name].cost === null).toBe(name === "strict")
  }
})

test("a placement that would be no sandbox is a bug", () => {
  expect(() => sandboxArgs(placement({ gpu: { device: "cuda", uuid: "all", through: "gpus" } }))).toThrow(
    TypeError,
  )
  expect(() => sandboxArgs(placement({ gpu: { device: "rocm", renderNode: "/dev/sda", group: 1 } }))).toThrow(
    TypeError,
  )
})

test("a comma in a path starts no other mount option", () => {
  const folders = { ...placement().folders, out: '/home/a,readonly=false,"b"/out' }
  expect(sandboxArgs(placement({ folders }))).toContain(
    '--mount=type=bind,"source=/home/a,readonly=false,""b""/out",target=/shard/out,bind-propagation=rprivate',
  )
})

test("equal policies have equal digests, whatever the lease, the paths and the command", () => {
  const other = placement({
    labels: { lease: "b".repeat(32), epoch: 1, spec: DIGEST, home: "elsewhere" },
    folders: { spec: "/a", inputs: [], out: "/b", checkpoint: "/c" },
    spec: { ...SPEC, command: { argv: ["true"], env: {} } },
  })
  expect(flagsDigest(other)).toBe(flagsDigest(placement()))
  const looser = placement({ spec: { ...SPEC, limits: { ...SPEC.limits, pids: 65 } } })
  expect(flagsDigest(looser)).not.toBe(flagsDigest(placement()))
  expect(flagsDigest(placement({ runtime: "runsc" }))).not.toBe(flagsDigest(placement()))
})

test("a name with a registry's host goes there, any other to the marketplace", () => {
  const reference = (name: string) => imageReference({ name, digest: DIGEST }, "market.example:7464")
  expect(reference("trainer")).toBe(IMAGE)
  expect(reference("team/trainer")).toBe(`market.example:7464/team/trainer@${DIGEST}`)
  expect(reference("localhost/trainer")).toBe(`localhost/trainer@${DIGEST}`)
  expect(reference("ghcr.io/team/trainer")).toBe(`ghcr.io/team/trainer@${DIGEST}`)
  expect(reference("host:5000/trainer")).toBe(`host:5000/trainer@${DIGEST}`)
})

/** Text as an attacker would choose it. */
const hostile = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.constantFrom(
    "--privileged",
    "-v",
    "/:/host",
    "--mount=type=bind,source=/,target=/host",
    "--",
    "=",
    ",",
    "\n",
  ),
)
const fileName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)

const anySpec = fc
  .record({
    image: fc.record({
      name: fc.oneof(
        fc.stringMatching(/^[a-z0-9.:/-]{1,30}$/),
        fc.constantFrom("-v/x", "--privileged.x/y", "a/b", "h.x:1/b"),
      ),
      digest: fc.constant(DIGEST),
    }),
    command: fc.record({
      argv: fc.array(hostile, { minLength: 1, maxLength: 6 }),
      env: fc.dictionary(fc.stringMatching(/^[A-Z][A-Z0-9_]{0,20}$/), hostile, { maxKeys: 5 }),
    }),
    inputs: fc.array(fc.record({ name: fileName, digest: fc.constant(DIGEST), size: fc.nat() }), {
      maxLength: 4,
    }),
    outputs: fc.array(fileName, { minLength: 1, maxLength: 3 }),
    resources: fc.record({
      cpus: fc.double({ min: 0.1, max: 256, noNaN: true }),
      memoryMiB: fc.integer({ min: 1, max: 1 << 21 }),
    }),
    limits: fc.record({ outMiB: fc.integer({ min: 1, max: 65_536 }) }),
  })
  .map(wish => ShardSpec.safeParse(wish))
  .filter(parsed => parsed.success)
  .map(parsed => parsed.data)

/** The only flags that ever stand before an image, and those of them that a spec's text gets into. */
const FLAGS =
  /^--(pull=never|user=65532:65532|network=none|dns=192\.0\.2\.77|dns-search=\.|read-only|cap-drop=ALL|security-opt=(no-new-privileges:true|seccomp=\/[^:]+\.json)|ipc=private|cgroupns=private|init|restart=no|no-healthcheck|stop-signal=SIGTERM|stop-timeout=\d+|hostname=shard|workdir=\/shard|oom-score-adj=500|pids-limit=\d+|memory=\d+m|memory-swap=\d+m|cpus=[\d.e-]+|ulimit=(nofile|core|msgqueue|fsize)=\d+:\d+|shm-size=\d+m|tmpfs=\/tmp:rw,noexec,nosuid,nodev,size=\d+m,mode=1777|log-driver=local|log-opt=(max-size=\d+k|max-file=2|compress=false)|name=zg-[0-9a-f]{32}-\d+|label=dev\.zg-agent\.[a-z]+=[\w:-]+|env=[A-Z][A-Z0-9_]*=[\s\S]*|entrypoint=[\s\S]+|mount=type=bind,source=\/zg\/[^,]*,target=\/shard\/[^,]*,bind-propagation=rprivate(,readonly)?)$/

test("no spec that parses adds a flag, a mount or a device, or moves the image from its place", () => {
  fc.assert(
    fc.property(anySpec, spec => {
      const image = imageReference(spec.image, "market.example:7464")
      const inputs = spec.inputs.map(({ name }, index) => ({ name, path: `/zg/blob-${index}` }))
      const args = sandboxArgs(placement({ spec, image, folders: { ...placement().folders, inputs } }))
      const at = args.findIndex(arg => !arg.startsWith("--"))
      expect(args[at]).toBe(image)
      expect(args.slice(at + 1)).toEqual(spec.command.argv.slice(1))
      expect(args[at - 1]).toBe(`--entrypoint=${spec.command.argv[0]}`)
      for (const flag of args.slice(0, at)) expect(flag).toMatch(FLAGS)
      const mounts = args.filter((arg, index) => index < at && arg.startsWith("--mount="))
      expect(mounts).toHaveLength(3 + inputs.length)
      expect(mounts.filter(mount => !mount.endsWith(",readonly"))).toHaveLength(2)
      for (const override of ["LD_PRELOAD=", "NVIDIA_VISIBLE_DEVICES=void"]) {
        const [name] = override.split("=")
        expect(args.slice(0, at).filter(arg => arg.startsWith(`--env=${name}=`))).toEqual([
          `--env=${override}`,
        ])
      }
    }),
    { numRuns: 500 },
  )
})
