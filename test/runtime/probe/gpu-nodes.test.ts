import { expect, test } from "vitest"
import type { GpuPlacement } from "../../../src/runtime/container/sandbox.ts"
import { gpuNodes } from "../../../src/runtime/probe/gpu-nodes.ts"

const CPU: GpuPlacement = { device: "cpu" }
const CUDA: GpuPlacement = { device: "cuda", uuid: "GPU-1", through: "cdi" }
const SLICE: GpuPlacement = { device: "cuda", uuid: "MIG-1", through: "gpus" }
const ROCM: GpuPlacement = { device: "rocm", renderNode: "/dev/dri/renderD129", group: 44 }
const NVIDIA = ["/dev/nvidia3", "/dev/nvidiactl", "/dev/nvidia-uvm"]

/** Nodes as the probe reports them; a name with an errno behind it does not open. */
function seen(...nodes: string[]) {
  const devices = nodes.map(node => {
    const [path = "", error = null] = node.split(" ")
    return { path, opens: error === null, error }
  })
  return { devices }
}

test.each<[what: string, gpu: GpuPlacement, nodes: string[]]>([
  ["no card and no node", CPU, []],
  ["one NVIDIA card of several, whatever its number", CUDA, NVIDIA],
  [
    "a card through CDI, with its display nodes, of which a shard needs none",
    CUDA,
    [...NVIDIA, "/dev/nvidia-modeset EACCES", "/dev/dri/card1 EACCES", "/dev/dri/renderD129 EACCES"],
  ],
  ["a slice with its capability nodes", SLICE, [...NVIDIA, "/dev/nvidia-caps/nvidia-cap21"]],
  ["a card on WSL 2", CUDA, ["/dev/dxg"]],
  ["one AMD card", ROCM, ["/dev/kfd", "/dev/dri/renderD129"]],
])("%s is as it should be", (_, gpu, nodes) => {
  expect(gpuNodes(seen(...nodes), gpu)).toEqual({ ok: true, missing: [], denied: [], foreign: [] })
})

test.each<[what: string, gpu: GpuPlacement, nodes: string[], finding: object]>([
  ["a card where none was given", CPU, ["/dev/nvidia0 EPERM"], { foreign: ["/dev/nvidia0"] }],
  [
    "no node of the card that was given",
    CUDA,
    [],
    { missing: ["/dev/nvidiaN", "/dev/nvidiactl", "/dev/nvidia-uvm"] },
  ],
  [
    "nodes without the unified memory's",
    CUDA,
    ["/dev/nvidia0", "/dev/nvidiactl"],
    { missing: ["/dev/nvidia-uvm"] },
  ],
  [
    "nodes that the device policy denies after a reload of systemd",
    CUDA,
    NVIDIA.map(node => `${node} EPERM`),
    { denied: NVIDIA.map(node => `${node} (EPERM)`) },
  ],
  [
    "two cards",
    CUDA,
    [...NVIDIA, "/dev/nvidia4"],
    { foreign: expect.arrayContaining(["/dev/nvidia3", "/dev/nvidia4"]) },
  ],
  [
    "the display nodes of two cards",
    CUDA,
    [...NVIDIA, "/dev/dri/renderD128", "/dev/dri/renderD129"],
    { foreign: ["/dev/dri/renderD128", "/dev/dri/renderD129"] },
  ],
  [
    "a slice whose capability does not open",
    SLICE,
    [...NVIDIA, "/dev/nvidia-caps/nvidia-cap21 EACCES"],
    { denied: ["/dev/nvidia-caps/nvidia-cap21 (EACCES)"] },
  ],
  [
    "an NVIDIA card beside the AMD one",
    ROCM,
    ["/dev/kfd", "/dev/dri/renderD129", "/dev/nvidia0"],
    { foreign: ["/dev/nvidia0"] },
  ],
  [
    "another AMD card",
    ROCM,
    ["/dev/kfd", "/dev/dri/renderD128"],
    { missing: ["/dev/dri/renderD129"], foreign: ["/dev/dri/renderD128"] },
  ],
  [
    "an AMD card whose group is not the shard's",
    ROCM,
    ["/dev/kfd EACCES", "/dev/dri/renderD129"],
    { denied: ["/dev/kfd (EACCES)"] },
  ],
])("%s: told", (_, gpu, nodes, finding) => {
  expect(gpuNodes(seen(...nodes), gpu)).toEqual({
    ok: false,
    missing: [],
    denied: [],
    foreign: [],
    ...finding,
  })
})
