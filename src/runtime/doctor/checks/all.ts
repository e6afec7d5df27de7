import type { Inspection } from "../inspection.ts"
import { cdi } from "./cdi.ts"
import { clock } from "./clock.ts"
import { containerStart } from "./container-start.ts"
import { diskSpace } from "./disk-space.ts"
import { diskSpeed } from "./disk-speed.ts"
import { engine } from "./engine.ts"
import { engineVersion } from "./engine-version.ts"
import { gpuInContainer } from "./gpu-in-container.ts"
import { gpus } from "./gpus.ts"
import { gvisor } from "./gvisor.ts"
import { jailTest } from "./jail.ts"
import { leftovers } from "./leftovers.ts"
import { marketplace } from "./marketplace.ts"
import { memory } from "./memory.ts"
import { minimumVersions } from "./minimum-versions.ts"
import { nvidiaToolkit } from "./nvidia-toolkit.ts"
import { ports } from "./ports.ts"
import { powerLimit } from "./power-limit.ts"
import { registration } from "./registration.ts"
import { rocmAccess } from "./rocm-access.ts"
import { sandboxFlags } from "./sandbox-flags.ts"
import { stateFolder } from "./state-folder.ts"
import { systemd } from "./systemd.ts"
import { wsl } from "./wsl.ts"

/** In the order of the report: the machine, the engine, the cards, the marketplace. */
export const INSPECTIONS: readonly Inspection[] = [
  ...[wsl, systemd, memory, diskSpace, diskSpeed, stateFolder, ports],
  ...[engine, engineVersion, containerStart, sandboxFlags, jailTest, gvisor, leftovers, minimumVersions],
  ...[gpus, gpuInContainer, nvidiaToolkit, cdi, rocmAccess, powerLimit],
  ...[registration, marketplace, clock],
]
