import type { GpuPlacement } from "../../../src/runtime/container/sandbox.ts"
import type { Expected } from "../../../src/runtime/probe/honoured.ts"
import { NO_IMAGE, probePlacement } from "../../../src/runtime/probe/placement.ts"
import type { ProbeReport } from "../../../src/runtime/probe/report.ts"

export function expectedFor(
  gpu: GpuPlacement = { device: "cpu" },
  isolation: Expected["isolation"] = "runc",
): Expected {
  const placement = probePlacement({ image: NO_IMAGE, gpu, home: "home", root: "/scratch", runtime: null })
  return { placement, isolation }
}

/** As a plain engine with cgroup v2 reports the sandbox. */
export const REPORT: ProbeReport = {
  uid: 65532,
  gid: 65532,
  groups: [65532],
  capEff: "0000000000000000",
  capBnd: "0000000000000000",
  noNewPrivs: true,
  seccompMode: 2,
  rootReadOnly: true,
  tmpNoexec: true,
  tmpBytes: 64 << 20,
  shmBytes: 64 << 20,
  interfaces: ["lo"],
  hostNamespaces: [],
  memoryLimitBytes: 1024 << 20,
  swapLimitBytes: 0,
  pidsLimit: 128,
  cpuQuota: 1,
  limits: { nofile: 1024, core: 0, fsize: 64 << 20 },
  kernel: "6.8.0",
  pid1: "docker-init",
  hostname: "shard",
  env: {
    LD_PRELOAD: "",
    NVIDIA_DRIVER_CAPABILITIES: "compute,utility",
    NVIDIA_GDRCOPY: "disabled",
    NVIDIA_GDS: "disabled",
    NVIDIA_IMEX_CHANNELS: "",
    NVIDIA_MIG_CONFIG_DEVICES: "",
    NVIDIA_MIG_MONITOR_DEVICES: "",
    NVIDIA_MOFED: "disabled",
    NVIDIA_NVSWITCH: "disabled",
    NVIDIA_VISIBLE_DEVICES: "void",
  },
  devices: [],
  otherDevices: [],
}
